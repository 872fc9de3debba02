// What a process begins with that ./process starts for a test.
import assert from 'node:assert/strict';

import * as ups from 'upsilon-kernels';
import * as promises from 'upsilon-kernels/promises';

import type { Body, Tools } from './process';

/** Garbage is gone long before; what is there then is held by somebody. */
const patience = 60_000;

const { native } = require('../../dist/runtime/native') as typeof import('upsilon-kernels/internal/runtime/native');

const tools: Tools = {
  ups,
  promises,
  assert,
  addressOf: native.addressOf,
  // Finalizers run between turns of the event loop, and the engine sweeps beside the program: how
  // many turns that takes is up to the machine.
  until: async (condition, state) => {
    const end = performance.now() + patience;
    while (!condition()) {
      if (performance.now() > end) assert.fail(`this did not change any more: ${JSON.stringify(state())}`);
      gc!();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
};

/** Runs the body of a test; what it throws ends the process with its stack on stderr. */
export async function run<Argument>(body: Body<Argument>, argument: Argument): Promise<void> {
  await body(tools, argument);
}
