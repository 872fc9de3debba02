// The order of test files: by name, so that every run is the same, or with --randomize any, by
// Jest's seed.
import { relative, sep } from 'node:path';

import Sequencer from '@jest/test-sequencer';

import { shuffled } from './shuffled';

type Options = ConstructorParameters<typeof Sequencer>[0];
type Tests = Parameters<Sequencer['sort']>[0];

export default class FixedOrSeededOrder extends Sequencer {
  private readonly order: Pick<Options['globalConfig'], 'randomize' | 'seed'>;

  constructor(options: Options) {
    super(options);
    this.order = options.globalConfig;
  }

  override sort(tests: Tests): Tests {
    const nameOf = ({ path, context }: Tests[number]): string =>
      relative(context.config.rootDir, path).split(sep).join('/');
    const names = new Map(tests.map((test) => [test, nameOf(test)]));
    const byName = [...tests].sort((a, b) => (names.get(a)! < names.get(b)! ? -1 : 1));
    if (!this.order.randomize) return byName;
    // Said at once: a run that hangs or crashes does not reach Jest's summary.
    process.stderr.write(`files and tests in random order: --randomize --seed=${this.order.seed}\n`);
    return shuffled(byName, this.order.seed);
  }
}
