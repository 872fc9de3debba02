// What all suites share: a case measures itself with what a Bench has, and gives a row.
import type { Effort, Timing } from './measure';
import type { Ceilings } from './machine';
import type { Peers } from './peers/peers';
import type { Reference } from './reference';
import type { Settings } from './settings';

export interface Bench {
  settings: Settings;
  effort: Effort;
  reference: Reference;
  peers: Peers | undefined;
  ceilings: Ceilings | undefined;
}

export interface Row {
  case: string;
  /** By contestant; ours is the first. */
  timings: Record<string, Timing>;
  ours?: string;
  flops?: number;
  bytes?: number;
  error?: number;
  variant?: string;
  parameters?: unknown;
  notes: string[];
  problem?: string;
  /** Figures that are not times of calls. */
  figures?: Record<string, number | string | null>;
}

export interface BenchCase {
  suite: string;
  name: string;
  /** Whether --quick runs it. */
  small: boolean;
  run(bench: Bench): Promise<Row>;
  /** What benny can repeat. */
  prepare?: (settings: Settings) => () => void;
}

/** What a suite draws of its rows when a run is over. */
export interface Picture {
  suite: string;
  /** Of the file, without a folder. */
  file: string;
  /** The SVG; undefined where too few rows are there. */
  draw: (rows: readonly Row[], machine: Record<string, unknown>) => string | undefined;
}
