import eslint from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const nodeGlobals = Object.fromEntries(
  [
    'Buffer',
    'clearInterval',
    'clearTimeout',
    'console',
    'fetch',
    'performance',
    'process',
    'setImmediate',
    'setInterval',
  ]
    .concat(['setTimeout', 'structuredClone', 'TextDecoder', 'TextEncoder', 'URL'])
    .map((name) => [name, 'readonly']),
);
const commonJsGlobals = { __dirname: 'readonly', exports: 'writable', module: 'writable', require: 'readonly' };

/**
 * The floors of src/, from the ground up: each may use what stands before it. What stands on one
 * floor in one entry does not know the others there.
 */
const floors = [
  'runtime',
  'autograd',
  'tensor',
  ['operation', 'arrow', 'safetensors.ts'],
  ['graph', 'optim.ts'],
  'ops',
  'operations.ts',
  'models',
  ['index.ts', 'promises.ts', 'cli'],
];
const forbidden = floors.flatMap((floor, level) =>
  [floor].flat().map((target, _, together) => ({
    target: `./src/${target}`,
    from: [...together.filter((other) => other !== target), ...floors.slice(level + 1).flat()].map(
      (other) => `./src/${other}`,
    ),
    message: 'A floor uses those below it only (eslint.config.mjs).',
  })),
);

export default tseslint.config(
  {
    ignores: [
      '**/node_modules/',
      '**/.venv/',
      'dist/',
      'dist-test/',
      'dist-bench/',
      'build/',
      'build-*/',
      'prebuilds/',
      'coverage/',
      '.venv/',
    ],
  },
  eslint.configs.recommended,
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: { ecmaVersion: 2023, globals: nodeGlobals },
    rules: { eqeqeq: ['error', 'always', { null: 'ignore' }], 'prefer-const': 'error', 'no-var': 'error' },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: commonJsGlobals },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // The addon and, where Arrow's own types are any, its vectors are reached through require and
      // casts.
      '@typescript-eslint/no-require-imports': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts'] })],
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: forbidden }],
    },
  },
  {
    // Tests hand over what the types forbid, and look into what comes back.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // What a test sees is the same every time, whatever ran before it and beside it.
    files: ['test/**/*.test.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Take numbers() or random() of test/helpers, or a property.' },
        ...['Date', 'performance'].map((object) => ({ object, property: 'now', message: 'No test asserts a time.' })),
        ...['hrtime', 'chdir'].map((property) => ({ object: 'process', property, message: 'See test/README.md.' })),
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[property.name='counters']:not(CallExpression[callee.name='inProcess'] *)",
          message: 'Counters are of the whole process: look at them in one of its own, by inProcess().',
        },
        {
          selector: "CallExpression[callee.name='tmpdir']:not(CallExpression[callee.name='mkdtempSync'] *)",
          message: 'Another run may use the same name: make a folder by mkdtempSync().',
        },
        {
          selector:
            "Property[key.name='seed']:matches(CallExpression[callee.property.name='assert'] > ObjectExpression > *)",
          message: 'Properties have the seed of the run: see test/README.md.',
        },
      ],
    },
  },
);
