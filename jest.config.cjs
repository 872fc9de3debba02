'use strict';
// Tests are compiled by tsc and run against dist/, so they see what is shipped.
module.exports = {
  roots: ['<rootDir>/dist-test'],
  transform: {},
  testTimeout: 60000,
  moduleNameMapper: {
    '^upsilon-kernels$': '<rootDir>/dist/index.js',
    '^upsilon-kernels/promises$': '<rootDir>/dist/promises.js',
    '^upsilon-kernels/internal/(.*)$': '<rootDir>/dist/$1.js',
  },
};
