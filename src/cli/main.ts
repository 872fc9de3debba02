#!/usr/bin/env node
import { UpsilonError } from '../runtime/errors';
import { UsageError } from './errors';
import * as generate from './generate';

const commands: Readonly<Record<string, { run(words: readonly string[]): Promise<number> }>> = { generate };

async function main([name = '', ...words]: readonly string[]): Promise<number> {
  if (name === '' || name === '--help' || name === '-h') {
    process.stdout.write(generate.usage);
    return 0;
  }
  if (!Object.hasOwn(commands, name))
    throw new UsageError(`unknown command ${name} (expected ${Object.keys(commands).join(', ')})`);
  return commands[name].run(words);
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const said = error instanceof UsageError || error instanceof UpsilonError;
    process.stderr.write(`upsilon-kernels: ${said ? error.message : String((error as Error)?.stack ?? error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
