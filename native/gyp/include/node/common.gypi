# What node-gyp asks of a Node installation, cut down to what an addon of the Node-API needs. Given as --nodedir, it
# makes the build independent of which Node is installed and downloads nothing.
{
  'variables': { 'clang%': 0 },
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Release': { 'defines': ['NDEBUG'], 'cflags': ['-O3'] },
      'Debug': { 'cflags': ['-g', '-O0'] },
    },
    'cflags': ['-fPIC', '-pthread'],
    'ldflags': ['-pthread'],
    'conditions': [
      ['OS=="mac"', {
        'xcode_settings': { 'OTHER_LDFLAGS': ['-Wl,-undefined,dynamic_lookup'], 'MACOSX_DEPLOYMENT_TARGET': '12.0' },
      }],
    ],
  },
}
