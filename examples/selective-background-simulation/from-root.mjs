import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { UserError } from './errors.mjs';

const tool = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'root-to-arrow');

/**
 * Converts a ROOT file with the neighbouring tool, where that is installed. Returns the Arrow
 * file's name.
 */
export function fromRoot(file, folder) {
  if (!existsSync(path.join(tool, 'node_modules', 'jsroot'))) {
    const place = path.relative('', tool);
    throw new UserError(`ROOT files are read by ${place}; install it once with: npm install --prefix ${place}`);
  }
  const output = path.join(folder, `${path.basename(file, '.root')}.arrow`);
  const { status } = spawnSync(process.execPath, [path.join(tool, 'convert.mjs'), file, output], { stdio: 'inherit' });
  if (status !== 0) throw new UserError(`${file} could not be converted`);
  return output;
}
