import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface Settings {
  filters: string[];
  list: boolean;
  device: string;
  variant: string | undefined;
  threads: number;
  /** Whether the number of threads was left open: the library's own choice is then measured. */
  allCores: boolean;
  json: string | undefined;
  baseline: string | undefined;
  from: string | undefined;
  pictures: string;
  peers: boolean;
  quick: boolean;
  benny: boolean;
  python: string | undefined;
}

export const usage = `npm run bench -- [filter ...] [options]
  filter            parts of suite/case; all cases without one
  --list            only name the cases
  --device NAME     cpu (default), cuda:0, emulated:0
  --variant NAME    reference, baseline, avx2, avx512: instead of the widest this processor has
  --threads N       for us and for the peers; default: all cores
  --json FILE       writes everything that was measured
  --baseline FILE   an earlier --json file: prints how much changed
  --from FILE       prints and draws an earlier --json file instead of measuring
  --pictures FOLDER where pictures go; default build/bench
  --peers           also PyTorch, PyG, OpenBLAS, scipy and onnxruntime-node, as far as installed (bench/README.md)
  --python PROGRAM  the Python that has the peers; default bench/peers/.venv/bin/python, else python3
  --quick           milliseconds per case, and only the smaller ones: whether everything works, not how fast
  --benny           runs the operations through benny, which prints operations per second`;

export function readSettings(words: readonly string[], cores: number): Settings | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        list: { type: 'boolean', default: false },
        device: { type: 'string', default: 'cpu' },
        variant: { type: 'string' },
        threads: { type: 'string' },
        json: { type: 'string' },
        baseline: { type: 'string' },
        from: { type: 'string' },
        pictures: { type: 'string', default: 'build/bench' },
        peers: { type: 'boolean', default: false },
        python: { type: 'string' },
        quick: { type: 'boolean', default: false },
        benny: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) return usage;
    const threads = values.threads === undefined ? cores : Number(values.threads);
    if (!Number.isInteger(threads) || threads < 1)
      return `--threads is '${values.threads}' (expected a number from 1 on)`;
    return {
      filters: positionals,
      list: values.list,
      device: values.device,
      variant: values.variant,
      threads,
      allCores: values.threads === undefined,
      json: values.json,
      baseline: values.baseline,
      from: values.from,
      pictures: values.pictures,
      peers: values.peers,
      quick: values.quick,
      benny: values.benny,
      python: values.python,
    };
  } catch (error) {
    return `${(error as Error).message}\n\n${usage}`;
  }
}
