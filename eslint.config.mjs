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
 * The floors of src/, from the ground up: each may use what stands before it. What stands on one floor in one entry does
 * not know the others there.
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
      // The addon and, where Arrow's own types are any, its vectors are reached through require and casts.
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
);
