#!/usr/bin/env node
// node convert.mjs input.root output.arrow [--tree name] [--group column,column] [--rename old=new]
// MCParticles of basf2's mDST files become List columns, one list per event; any other tree becomes
// its own columns.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { tableToIPC } from 'apache-arrow';
import { openFile } from 'jsroot/io';

import { tableOf } from './arrow.mjs';
import { UserError } from './errors.mjs';
import { grouped } from './group.mjs';
import { isMdst, readMcParticles } from './mdst.mjs';
import { readNtuple } from './ntuple.mjs';

const usage = `Converts ROOT files to Arrow.

  node convert.mjs INPUT.root OUTPUT.arrow [options]

  --tree NAME         which tree (default: the file's only one, or "tree")
  --group A,B         rows that follow one another with equal A and B become one row of lists: one event, if they are
                      the numbers of experiment, run and event
  --rename OLD=NEW    names a column; may be given several times`;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        tree: { type: 'string' },
        group: { type: 'string' },
        rename: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return { ...values, positionals };
  } catch (error) {
    throw new UserError(error.message);
  }
}

async function treeOf(file, wanted) {
  const names = [
    ...new Set(
      file.fKeys
        .filter(({ fClassName }) => ['TTree', 'TNtuple', 'TNtupleD'].includes(fClassName))
        .map(({ fName }) => fName),
    ),
  ];
  const name = wanted ?? (names.includes('tree') ? 'tree' : names.length === 1 ? names[0] : undefined);
  if (name === undefined || !names.includes(name)) {
    const there = names.length > 0 ? `the file has ${names.join(', ')}` : 'the file has no TTree';
    throw new UserError(
      name === undefined ? `choose a tree with --tree (${there})` : `there is no tree ${name} (${there})`,
    );
  }
  return file.readObject(name);
}

function renamed(columns, pairs) {
  for (const pair of pairs) {
    const [from, to] = pair.split('=');
    const column = columns.find(({ name }) => name === from);
    if (!to || !column)
      throw new UserError(
        `--rename ${pair} names no column (expected old=new; there are ${columns.map(({ name }) => name).join(', ')})`,
      );
    column.name = to;
  }
  return columns;
}

async function main() {
  const options = readArguments();
  if (options.help) return console.log(usage);
  const [input, output] = options.positionals;
  if (!input || !output || options.positionals.length > 2)
    throw new UserError('expected an input and an output file (--help says more)');
  if (!existsSync(input)) throw new UserError(`there is no file ${input}`);
  const file = await openFile(input).catch(() => undefined);
  if (!file?.fKeys) throw new UserError(`${input} is not a ROOT file`);
  const tree = await treeOf(file, options.tree);
  let columns = isMdst(tree) ? await readMcParticles(tree) : await readNtuple(tree);
  if (options.group) columns = grouped(columns, options.group.split(','));
  const table = tableOf(renamed(columns, options.rename));
  writeFileSync(output, tableToIPC(table, 'file'));
  console.log(`${path.basename(input)}: ${table.numRows} rows, ${columns.length} columns -> ${output}`);
}

main().catch((error) => {
  console.error(error instanceof UserError || error.syscall ? `root-to-arrow: ${error.message}` : error);
  process.exitCode = 1;
});
