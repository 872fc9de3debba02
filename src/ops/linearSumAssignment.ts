import { afterwards, immediately, Kernel } from '../call';
import { KnownOptions, shown } from '../check';
import { cpu, type Device } from '../device';
import { dtypeCode, dtypes } from '../dtype';
import { DTypeError, ShapeError, ValueError } from '../errors';
import { wrapArray } from '../memory';
import { indices, Ragged } from '../ragged';
import { asTensor, empty, shapeText, Tensor, tensor, type TensorLike } from '../tensor';

const name = 'linearSumAssignment';
const kernel = new Kernel('linear_sum_assignment');
const knownOptions = new KnownOptions('maximize', 'duals');
const int32 = dtypeCode['int32'];
const float64 = dtypeCode['float64'];
const mostRows = 2 ** 31 - 1;

export interface AssignmentOptions {
  /** Seek the largest sum (default false); then -inf forbids a pair. */
  maximize?: boolean;
  /** Also give the dual variables (default false). */
  duals?: boolean;
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

/** What {@link linearSumAssignment} finds for one problem `[R, C]`, or for `[B, R, C]`. */
export interface Assignment {
  /** int32 `[min(R, C)]`, or `[B, min(R, C)]`: the rows of the pairs, increasing. */
  rows: Tensor;
  /** int32: the columns of the pairs. */
  columns: Tensor;
  /** float64 scalar, or `[B]`: the sum of the pairs' costs; NaN where there is no answer. */
  cost: Tensor;
  /** int32 scalar, or `[B]`: 0 an answer, 1 infeasible, 2 a cost is NaN or -inf (with `maximize` +inf). */
  status: Tensor;
  /** float64 `[R]`, or `[B, R]`, with `duals`: u_i + v_j <= cost_ij, equal for pairs; with `maximize` >=. */
  u?: Tensor;
  /** float64 `[C]`, or `[B, C]`. */
  v?: Tensor;
}

/** What {@link linearSumAssignment} finds for problems of different sizes; see {@link Assignment}. */
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

/** Boundaries from sizes. */
function boundariesOf(sizes: ArrayLike<number | bigint>, argument: string): Int32Array {
  const offsets = new Int32Array(sizes.length + 1);
  for (let b = 0, sum = 0; b < sizes.length; ++b) {
    const size = Number(sizes[b]);
    if (size < 0)
      throw new ValueError(name, argument, `${argument} has ${size} at position ${b} (expected at least 0)`);
    sum += size;
    if (sum > mostRows)
      throw new ValueError(name, argument, `${argument} add up to more than ${mostRows} (expected fewer)`);
    offsets[b + 1] = sum;
  }
  return offsets;
}

function evenBoundaries(problems: number, size: number, argument: string): Int32Array {
  if (problems * size > mostRows)
    throw new ShapeError(name, 'cost', `cost has ${problems * size} ${argument} (expected at most ${mostRows})`);
  const offsets = new Int32Array(problems + 1);
  for (let b = 1; b <= problems; ++b) offsets[b] = b * size;
  return offsets;
}

function onDevice(offsets: Int32Array, device: Device): Tensor {
  const made = new Tensor(wrapArray(offsets), int32, [offsets.length], cpu);
  return device === cpu ? made : made.to(device.name);
}

/** As float32 or float64: lists of numbers and integers, as in scipy, become float64. */
function costsOf(source: TensorLike, argument: string): Tensor {
  const made = asTensor(source, Array.isArray(source) ? float64 : undefined, name, argument);
  return dtypes[made._dtype].floating ? made : tensor(made, { dtype: 'float64' });
}

/** What the kernel is given and gives, problems behind each other. @internal */
export interface Found {
  columnOfRow: Tensor;
  total: Tensor;
  status: Tensor;
  pairOffsets?: Tensor;
  rows?: Tensor;
  columns?: Tensor;
  u?: Tensor;
  v?: Tensor;
}

/**
 * @param costs - `[N]`
 * @param pairs - how many pairs there will be; undefined where nobody asks for them
 * @internal
 */
export function assign(
  costs: Tensor,
  rowOffsets: Tensor,
  columnOffsets: Tensor,
  sizes: { rows: number; columns: number; pairs?: number },
  options: { maximize?: boolean; duals?: boolean },
): Found {
  const device = costs._device;
  const problems = rowOffsets.size - 1;
  const { rows, columns, pairs } = sizes;
  const wantsPairs = pairs !== undefined,
    wantsDuals = options.duals === true;
  const outputs = [
    empty(int32, [rows], device),
    empty(int32, [columns], device),
    empty(float64, [problems], device),
    empty(int32, [problems], device),
    wantsPairs ? empty(int32, [problems + 1], device) : undefined,
    wantsPairs ? empty(int32, [pairs], device) : undefined,
    wantsPairs ? empty(int32, [pairs], device) : undefined,
    wantsDuals ? empty(float64, [rows], device) : undefined,
    wantsDuals ? empty(float64, [columns], device) : undefined,
  ];
  const wanted = outputs.map((output) => output !== undefined);
  const found = kernel.run([costs, rowOffsets, columnOffsets], options, outputs, wanted);
  return {
    columnOfRow: found[0]!,
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

function isRagged(cost: unknown): cost is RaggedCosts {
  return typeof cost === 'object' && cost !== null && 'values' in cost && 'rows' in cost && 'columns' in cost;
}

function ofRagged(cost: RaggedCosts, options: AssignmentOptions): RaggedAssignment {
  const values = costsOf(cost.values, 'values');
  if (values.shape.length !== 1)
    throw new ShapeError(name, 'values', `values is ${shapeText(values.shape)} (expected one dimension)`);
  const onHost = (source: TensorLike, argument: string): Int32Array => {
    const found = indices(source, name, argument);
    return immediately(() => found.to('cpu')).data as Int32Array;
  };
  const rows = onHost(cost.rows, 'rows'),
    columns = onHost(cost.columns, 'columns');
  if (rows.length !== columns.length)
    throw new ShapeError(
      name,
      'columns',
      `columns is [${columns.length}] but rows is [${rows.length}] (expected one of each per problem)`,
    );
  const rowOffsets = boundariesOf(rows, 'rows'),
    columnOffsets = boundariesOf(columns, 'columns');
  let entries = 0,
    pairs = 0;
  for (let b = 0; b < rows.length; ++b) {
    entries += rows[b] * columns[b];
    pairs += Math.min(rows[b], columns[b]);
  }
  if (entries !== values.size)
    throw new ShapeError(name, 'values', `values is [${values.size}] but rows and columns say ${entries} costs`);
  const sizes = { rows: rowOffsets[rows.length], columns: columnOffsets[columns.length], pairs };
  const givenRows = onDevice(rowOffsets, values._device),
    givenColumns = onDevice(columnOffsets, values._device);
  const found = assign(values, givenRows, givenColumns, sizes, options);
  return {
    rows: new Ragged(found.rows!, found.pairOffsets!),
    columns: new Ragged(found.columns!, found.pairOffsets!),
    cost: found.total,
    status: found.status,
    ...(found.u && { u: new Ragged(found.u, givenRows), v: new Ragged(found.v!, givenColumns) }),
  };
}

/**
 * The assignment problem: pairs of rows and columns, each used at most once and as many as there can be, whose costs
 * have the least sum. The answer is `scipy.optimize.linear_sum_assignment`'s, also among several equally good ones:
 * exact shortest augmenting paths (Jonker and Volgenant, Computing 38, 325; Crouse, IEEE T-AES 52, 1679). +inf forbids
 * a pair. Problems of a batch are solved in parallel. There are no gradients: see `matchedLoss`.
 * @param cost - float64 or float32 `[R, C]`, or a batch `[B, R, C]` or {@link RaggedCosts}, in which `status` tells of
 *     every problem whether it has an answer (pairs are -1 where not)
 * @throws ValueError for one problem `[R, C]` without an answer
 * @throws ShapeError, DTypeError
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
  if (isRagged(cost)) return ofRagged(cost, options);
  if (typeof cost === 'object' && cost !== null && 'values' in cost && 'offsets' in cost)
    throw new DTypeError(name, 'cost', 'cost has values and offsets (expected values, rows and columns)');
  const costs = costsOf(cost, 'cost');
  const { shape } = costs;
  if (shape.length !== 2 && shape.length !== 3)
    throw new ShapeError(name, 'cost', `cost is ${shapeText(shape)} (expected [R, C] or [B, R, C])`);
  const isOne = shape.length === 2;
  const [problems, rows, columns] = isOne ? [1, ...shape] : shape;
  const pairs = Math.min(rows, columns);
  const device = costs._device;
  const rowOffsets = onDevice(evenBoundaries(problems, rows, 'rows'), device);
  const found = assign(
    costs.reshape([costs.size]),
    rowOffsets,
    rows === columns ? rowOffsets : onDevice(evenBoundaries(problems, columns, 'columns'), device),
    { rows: problems * rows, columns: problems * columns, pairs: problems * pairs },
    options,
  );
  if (isOne) refuseFailure(found.status, maximize === true);
  const shaped = (values: Tensor, extents: number[]): Tensor => values.reshape(isOne ? extents.slice(1) : extents);
  return {
    rows: shaped(found.rows!, [problems, pairs]),
    columns: shaped(found.columns!, [problems, pairs]),
    cost: shaped(found.total, [problems]),
    status: shaped(found.status, [problems]),
    ...(found.u && { u: shaped(found.u, [problems, rows]), v: shaped(found.v!, [problems, columns]) }),
  };
}
