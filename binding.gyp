# The addon without CMake: core, kernels and Node-API glue, from the globs of CMakeLists.txt and with its flags. The CUDA
# plug-in, the tests and what C and C++ programs link need CMake.
{
  'target_defaults': {
    'include_dirs': [
      'native/include', 'native', 'native/core', 'kernels',
      '<!(node -p "require(\'node-api-headers\').include_dir")',
      '<!(node -p "path.dirname(require.resolve(\'node-addon-api/package.json\'))")',
    ],
    'defines': [
      '<!@(node native/gyp/sources.cjs defines)', 'NAPI_VERSION=9', 'NODE_ADDON_API_CPP_EXCEPTIONS_ALL', 'NODE_ADDON_API_DISABLE_DEPRECATED',
    ],
    'cflags!': ['-fno-exceptions'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': [
      '-std=c++20', '-O3', '-fno-math-errno', '-fno-trapping-math', '-fvisibility=hidden',
      '-fvisibility-inlines-hidden', '-Wno-psabi',
    ],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
      'OTHER_CPLUSPLUSFLAGS': ['-O3', '-fno-math-errno', '-fno-trapping-math'],
    },
    'conditions': [
      ['OS=="linux" and clang==0', { 'cflags_cc': ['-fno-gnu-unique'] }],
    ],
  },
  'targets': [
    {
      # What every other variant is measured against: as written, in the order written.
      'target_name': 'upsilon_reference',
      'type': 'static_library',
      'sources': ['<!@(node native/gyp/sources.cjs reference)'],
      'cflags_cc': ['-fno-tree-vectorize', '-fno-tree-slp-vectorize', '-ffp-contract=off'],
      'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['-fno-vectorize', '-fno-slp-vectorize', '-ffp-contract=off'] },
    },
    {
      'target_name': 'upsilon',
      'sources': ['<!@(node native/gyp/sources.cjs rest)'],
      'dependencies': ['upsilon_reference'],
      'conditions': [
        # Operations register themselves by static objects that nothing refers to: the archive must come whole.
        ['OS=="linux"', {
          'ldflags': [
            '-Wl,--version-script=<(module_root_dir)/native/gyp/exports.map', '-Wl,-z,nodelete', '-Wl,--as-needed',
            '-Wl,--whole-archive',
          ],
          'libraries': ['-Wl,--no-whole-archive', '-ldl'],
        }],
        ['OS=="mac"', {
          'xcode_settings': { 'OTHER_LDFLAGS': ['-Wl,-force_load,<(PRODUCT_DIR)/upsilon_reference.a'] },
        }],
      ],
    },
  ],
}
