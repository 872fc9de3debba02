import { Kernel } from '../operation/kernel';
import { toOutput } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { cpu } from '../runtime/device';
import { dtypeCode, dtypes } from '../runtime/dtype';
import { DTypeError, ShapeError, ValueError } from '../runtime/errors';
import { afterwards } from '../runtime/queue';
import { besides, onHost } from '../tensor/host';
import { indices, Ragged } from '../tensor/ragged';
import { shapeText } from '../tensor/shape';
import { asTensor, empty, ofType, Tensor, type TensorLike } from '../tensor/tensor';

const name = 'linearSumAssignment';
const kernel = new Kernel('linear_sum_assignment');
const knownOptions = new KnownOptions('maximize', 'duals', 'out');
const knownOutputs = new KnownOptions('rows', 'columns', 'cost', 'status', 'u', 'v');
const int32 = dtypeCode['int32'];
const float64 = dtypeCode['float64'];
const maxRows = 2 ** 31 - 1;

export interface AssignmentOptions {
  /** Whether to maximise the sum (default false); -inf then forbids a pair. */
  maximize?: boolean;
  /** Whether to return the dual variables too (default false). */
  duals?: boolean;
  /** Tensors to write the results to; those not given are allocated. */
  out?: AssignmentOutputs;
}

/**
 * Memory for an {@link Assignment}: of its shapes, or flat; for a {@link RaggedAssignment} that of
 * its lists' values.
 */
export interface AssignmentOutputs {
  /** int32 */
  rows?: TensorLike;
  /** int32 */
  columns?: TensorLike;
  /** float64 */
  cost?: TensorLike;
  /** int32 */
  status?: TensorLike;
  /** float64; only with `duals`, as `v` is. */
  u?: TensorLike;
  v?: TensorLike;
}

/** Costs of problems of different sizes: all rows of all problems, one after the other. */
export interface RaggedCosts {
  /** `[sum of rows x columns]` */
  values: TensorLike;
  /** int32 `[B]`: how many rows each problem has. */
  rows: TensorLike;
  /** int32 `[B]` */
  columns: TensorLike;
}

/** Result of {@link linearSumAssignment} for one problem `[R, C]`, or for `[B, R, C]`. */
export interface Assignment {
  /** int32 `[min(R, C)]`, or `[B, min(R, C)]`: the rows of the pairs, increasing. */
  rows: Tensor;
  /** int32: the columns of the pairs. */
  columns: Tensor;
  /** float64 scalar, or `[B]`: the sum of the pairs' costs; NaN where no assignment exists. */
  cost: Tensor;
  /**
   * int32 scalar, or `[B]`: 0 solved, 1 infeasible, 2 a cost is NaN or -inf (with `maximize` +inf).
   */
  status: Tensor;
  /**
   * float64 `[R]`, or `[B, R]`, with `duals`: u_i + v_j <= cost_ij, equal for pairs; with
   * `maximize` >=.
   */
  u?: Tensor;
  /** float64 `[C]`, or `[B, C]`. */
  v?: Tensor;
}

/**
 * Result of {@link linearSumAssignment} for problems of different sizes; see {@link Assignment}.
 */
export interface RaggedAssignment {
  /** Lists of min(rows, columns) per problem. */
  rows: Ragged;
  columns: Ragged;
  /** `[B]` */
  cost: Tensor;
  /** `[B]` */
  status: Tensor;
  u?: Ragged;
  v?: Ragged;
}

/** Problems one after the other, as kernels take them. @internal */
export interface Problems {
  /** `[N]` */
  values: Tensor;
  rowOffsets: Tensor;
  columnOffsets: Tensor;
  rows: number;
  columns: number;
  /** The sum of min(rows, columns). */
  pairs: number;
  /** `[R, C]` or `[B, R, C]`; undefined for problems of different sizes. */
  shape: readonly number[] | undefined;
}

/**
 * Rows or columns without a partner because the other side of their problem is empty. There may be
 * any number of them without a single cost, so they are hidden from the kernel unless an output has
 * entries for them. @internal
 */
export interface Idle {
  rows: boolean;
  columns: boolean;
}

function checkSizes(sizes: Int32Array, operation: string, argument: string): void {
  let sum = 0;
  sizes.forEach((size, b) => {
    if (size < 0)
      throw new ValueError(operation, argument, `${argument} has ${size} at position ${b} (expected at least 0)`);
    sum += size;
    if (sum > maxRows)
      throw new ValueError(operation, argument, `${argument} add up to more than ${maxRows} (expected fewer)`);
  });
}

/**
 * Boundaries from sizes.
 * @param others - sizes of the other side
 * @param idle - whether those count that the other side has nothing for
 */
function boundariesOf(sizes: Int32Array, others: Int32Array, idle: boolean): Int32Array {
  const offsets = new Int32Array(sizes.length + 1);
  for (let b = 0; b < sizes.length; ++b) offsets[b + 1] = offsets[b] + (idle || others[b] > 0 ? sizes[b] : 0);
  return offsets;
}

function evenBoundaries(problems: number, size: number, operation: string): Int32Array {
  const offsets = empty(int32, [problems + 1], cpu, operation, 'cost').data as Int32Array;
  for (let b = 0; b <= problems; ++b) offsets[b] = b * size;
  return offsets;
}

/** As float32 or float64: lists of numbers and integers, as in scipy, become float64. */
function costsOf(source: TensorLike, operation: string, argument: string): Tensor {
  const made = asTensor(source, Array.isArray(source) ? float64 : undefined, operation, argument);
  return dtypes[made._dtype].floating ? made : ofType(made, float64, operation, argument);
}

function raggedProblems(cost: RaggedCosts, operation: string, idle: Idle): Problems {
  const values = costsOf(cost.values, operation, 'values');
  if (values.shape.length !== 1)
    throw new ShapeError(operation, 'values', `values is ${shapeText(values.shape)} (expected one dimension)`);
  const sizes = (source: TensorLike, argument: string): Int32Array =>
    onHost(indices(source, operation, argument)) as Int32Array;
  const rows = sizes(cost.rows, 'rows'),
    columns = sizes(cost.columns, 'columns');
  if (rows.length !== columns.length)
    throw new ShapeError(
      operation,
      'columns',
      `columns is [${columns.length}] but rows is [${rows.length}] (expected one of each per problem)`,
    );
  checkSizes(rows, operation, 'rows');
  checkSizes(columns, operation, 'columns');
  const rowOffsets = boundariesOf(rows, columns, idle.rows),
    columnOffsets = boundariesOf(columns, rows, idle.columns);
  let entries = 0,
    pairs = 0;
  for (let b = 0; b < rows.length; ++b) {
    entries += rows[b] * columns[b];
    pairs += Math.min(rows[b], columns[b]);
  }
  if (entries !== values.size)
    throw new ShapeError(operation, 'values', `values is [${values.size}] but rows and columns say ${entries} costs`);
  return {
    values,
    rowOffsets: besides(values, rowOffsets),
    columnOffsets: besides(values, columnOffsets),
    rows: rowOffsets[rows.length],
    columns: columnOffsets[columns.length],
    pairs,
    shape: undefined,
  };
}

/**
 * One problem, a batch, or problems of different sizes.
 * @param idle - which of the idle rows and columns the answer tells of
 * @internal
 */
export function problemsOf(cost: TensorLike | RaggedCosts, operation: string, idle: Idle): Problems {
  if (typeof cost === 'object' && cost !== null && 'values' in cost) {
    if ('rows' in cost && 'columns' in cost) return raggedProblems(cost, operation, idle);
    if ('offsets' in cost)
      throw new DTypeError(operation, 'cost', 'cost has values and offsets (expected values, rows and columns)');
  }
  const costs = costsOf(cost as TensorLike, operation, 'cost');
  const { shape } = costs;
  if (shape.length !== 2 && shape.length !== 3)
    throw new ShapeError(operation, 'cost', `cost is ${shapeText(shape)} (expected [R, C] or [B, R, C])`);
  const [problems, ...extents] = shape.length === 2 ? [1, ...shape] : shape;
  extents.forEach((extent, side) => {
    if (problems * extent > maxRows) {
      const found = `${problems * extent} ${side === 0 ? 'rows' : 'columns'}`;
      throw new ShapeError(operation, 'cost', `cost has ${found} (expected at most ${maxRows})`);
    }
  });
  const rows = idle.rows || extents[1] > 0 ? extents[0] : 0,
    columns = idle.columns || extents[0] > 0 ? extents[1] : 0;
  const rowOffsets = besides(costs, evenBoundaries(problems, rows, operation));
  return {
    values: costs.reshape([costs.size]),
    rowOffsets,
    columnOffsets: rows === columns ? rowOffsets : besides(costs, evenBoundaries(problems, columns, operation)),
    rows: problems * rows,
    columns: problems * columns,
    pairs: problems * Math.min(rows, columns),
    shape,
  };
}

/** Inputs and outputs of the kernel, problems one after the other. @internal */
export interface Found {
  columnOfRow: Tensor;
  rowOfColumn: Tensor;
  total: Tensor;
  status: Tensor;
  pairOffsets?: Tensor;
  rows?: Tensor;
  columns?: Tensor;
  u?: Tensor;
  v?: Tensor;
}

/** The given tensors of `out`, flattened as the kernel takes them. */
function outputsOf(
  problems: Problems,
  { out, duals }: AssignmentOptions,
): Partial<Record<keyof AssignmentOutputs, Tensor>> {
  knownOutputs.check(out, name, 'out');
  const count = problems.rowOffsets.size - 1;
  const [R, C] = (problems.shape ?? []).slice(-2),
    batch = problems.shape?.slice(0, -2);
  const take = (
    output: keyof AssignmentOutputs,
    dtype: number,
    size: number,
    ...extents: number[]
  ): Tensor | undefined => {
    const argument = `out.${output}`;
    if (out?.[output] === undefined) return undefined;
    const given = toOutput(out[output], name, argument);
    const shape = batch ? [...batch, ...extents] : [size];
    if (given._dtype !== dtype)
      throw new DTypeError(name, argument, `${argument} is ${given.dtype} (expected ${dtypes[dtype].name})`);
    if (given.size !== size || (given.shape.length !== 1 && given.shape.join() !== shape.join()))
      throw new ShapeError(name, argument, `${argument} is ${shapeText(given.shape)} (expected ${shapeText(shape)})`);
    return given.reshape([size]);
  };
  for (const output of ['u', 'v'] as const)
    if (out?.[output] !== undefined && !duals)
      throw new ValueError(name, `out.${output}`, `out.${output} is given without duals (expected duals: true)`);
  const pairs = Math.min(R, C);
  return {
    rows: take('rows', int32, problems.pairs, pairs),
    columns: take('columns', int32, problems.pairs, pairs),
    cost: take('cost', float64, count),
    status: take('status', int32, count),
    u: take('u', float64, problems.rows, R),
    v: take('v', float64, problems.columns, C),
  };
}

/**
 * @param pairs - whether the pairs are wanted
 * @param operation - what errors name
 * @internal
 */
export function assign(problems: Problems, options: AssignmentOptions, pairs: boolean, operation: string): Found {
  const { values, rowOffsets, columnOffsets } = problems;
  const device = values._device,
    count = rowOffsets.size - 1,
    duals = options.duals === true;
  const given = outputsOf(problems, options);
  const made = (output: string, wanted: boolean, dtype: number, size: number, out?: Tensor): Tensor | undefined =>
    wanted ? (out ?? empty(dtype, [size], device, operation, output)) : undefined;
  const total = made('cost', true, float64, count, given.cost),
    status = made('status', true, int32, count, given.status),
    u = made('u', duals, float64, problems.rows, given.u),
    v = made('v', duals, float64, problems.columns, given.v);
  const outputs = [
    made('rows', true, int32, problems.rows),
    made('columns', true, int32, problems.columns),
    total,
    status,
    made('rows', pairs, int32, count + 1),
    made('rows', pairs, int32, problems.pairs, given.rows),
    made('columns', pairs, int32, problems.pairs, given.columns),
    u,
    v,
  ];
  const wanted = outputs.map((output) => output !== undefined);
  const found = kernel.run([values, rowOffsets, columnOffsets], { maximize: options.maximize }, outputs, wanted);
  return {
    columnOfRow: found[0]!,
    rowOfColumn: found[1]!,
    total: found[2]!,
    status: found[3]!,
    pairOffsets: found[4],
    rows: found[5],
    columns: found[6],
    u: found[7],
    v: found[8],
  };
}

/** scipy's two errors for a single problem, when the kernel is done. */
function refuseFailure(status: Tensor, maximize: boolean): void {
  afterwards(() => {
    const code = status.item();
    if (code === 1)
      throw new ValueError(
        name,
        'cost',
        `cost matrix is infeasible (expected an assignment without forbidden pairs, which are ${maximize ? '-' : '+'}inf)`,
      );
    if (code === 2)
      throw new ValueError(
        name,
        'cost',
        `cost matrix contains invalid numeric entries (expected no NaN and no ${maximize ? '+' : '-'}inf)`,
      );
  });
}

/**
 * The assignment problem: pairs of rows and columns, each used at most once and as many as
 * possible, with the minimum sum of costs. The result is that of
 * `scipy.optimize.linear_sum_assignment`, also among several optimal ones: exact shortest
 * augmenting paths (Jonker and Volgenant, Computing 38, 325; Crouse, IEEE T-AES 52, 1679). +inf
 * forbids a pair. Problems of a batch are solved in parallel. There are no gradients: see
 * `matchedLoss`.
 * @param cost - float64 or float32 `[R, C]`, or a batch `[B, R, C]` or {@link RaggedCosts}, in
 *   which `status` tells for every problem whether it has a solution (pairs are -1 otherwise)
 * @throws ValueError for a single problem `[R, C]` without a solution
 * @throws ShapeError, DTypeError; also for `out`
 * @throws OutOfMemoryError, naming the output that could not be allocated
 */
export function linearSumAssignment(cost: RaggedCosts, options?: AssignmentOptions): RaggedAssignment;
export function linearSumAssignment(cost: TensorLike, options?: AssignmentOptions): Assignment;
export function linearSumAssignment(
  cost: TensorLike | RaggedCosts,
  options: AssignmentOptions = {},
): Assignment | RaggedAssignment {
  knownOptions.check(options, name);
  const { maximize, duals } = options;
  if (duals !== undefined && typeof duals !== 'boolean')
    throw new ValueError(name, 'duals', `duals is ${shown(duals)} (expected true or false)`);
  // Duals are of every row and column.
  const problems = problemsOf(cost, name, { rows: duals === true, columns: duals === true });
  const { shape } = problems;
  const found = assign(problems, options, true, name);
  if (!shape)
    return {
      rows: new Ragged(found.rows!, found.pairOffsets!),
      columns: new Ragged(found.columns!, found.pairOffsets!),
      cost: found.total,
      status: found.status,
      ...(found.u && { u: new Ragged(found.u, problems.rowOffsets), v: new Ragged(found.v!, problems.columnOffsets) }),
    };
  if (shape.length === 2) refuseFailure(found.status, maximize === true);
  const [rows, columns] = shape.slice(-2);
  const batch = shape.slice(0, -2);
  const shaped = (values: Tensor, ...extents: number[]): Tensor => values.reshape([...batch, ...extents]);
  const pairs = Math.min(rows, columns);
  return {
    rows: shaped(found.rows!, pairs),
    columns: shaped(found.columns!, pairs),
    cost: shaped(found.total),
    status: shaped(found.status),
    ...(found.u && { u: shaped(found.u, rows), v: shaped(found.v!, columns) }),
  };
}
