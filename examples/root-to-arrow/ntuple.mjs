// Trees of numbers and of lists of numbers: b2luigi's and VariablesToNtuple's flat ntuples,
// vectors, C arrays.
import { TSelector, treeProcess } from 'jsroot/tree';

import { Column } from './column.mjs';
import { UserError } from './errors.mjs';

const leafTypes = {
  TLeafF: Float32Array,
  TLeafF16: Float32Array,
  TLeafD: Float64Array,
  TLeafD32: Float64Array,
  TLeafI: Int32Array,
  TLeafS: Int32Array,
  TLeafB: Int32Array,
  TLeafO: Int32Array,
  TLeafL: BigInt64Array,
  TLeafG: BigInt64Array,
};
const vectorTypes = {
  float: Float32Array,
  Float_t: Float32Array,
  double: Float64Array,
  Double_t: Float64Array,
  int: Int32Array,
  Int_t: Int32Array,
  short: Int32Array,
  bool: Int32Array,
  long: BigInt64Array,
  Long64_t: BigInt64Array,
  'unsigned int': BigInt64Array,
  UInt_t: BigInt64Array,
};

/** A column for a branch of numbers or of lists of numbers, undefined for any other. */
function columnFor(branch) {
  const leaf = branch.fLeaves?.arr[0];
  if (!leaf || branch.fLeaves.arr.length !== 1 || branch.fBranches?.arr.length > 0) return undefined;
  const vector = /^(?:ROOT::VecOps::RVec|(?:std::)?vector)<([\w ]+)>$/.exec(branch.fClassName ?? '');
  if (vector) return vectorTypes[vector[1]] && new Column(branch.fName, vectorTypes[vector[1]], true);
  let Array = leafTypes[leaf._typename];
  if (Array === Int32Array && leaf._typename === 'TLeafI' && leaf.fIsUnsigned) Array = BigInt64Array;
  return Array && new Column(branch.fName, Array, leaf.fLeafCount !== null || leaf.fLen > 1);
}

/** All such branches of the tree. */
export async function readNtuple(tree) {
  const chosen = tree.fBranches.arr
    .map((branch) => ({ branch, column: columnFor(branch) }))
    .filter(({ column }) => column);
  if (chosen.length === 0)
    throw new UserError(`the tree ${tree.fName} has no branch of numbers or of lists of numbers`);
  const columns = chosen.map(({ column }) => column);
  const selector = new TSelector();
  chosen.forEach(({ branch }, i) => selector.addBranch(branch, `column${i}`));
  selector.Process = function process() {
    columns.forEach((column, i) => column.add(this.tgtobj[`column${i}`]));
  };
  // Where every branch is one number per row, jsroot hands over whole baskets: ten times faster.
  if (columns.every(({ offsets }) => !offsets)) {
    selector.ProcessArrays = function processArrays() {
      columns.forEach((column, i) => column.append(this.tgtarr[`column${i}`]));
    };
  }
  await treeProcess(tree, selector);
  if (new Set(columns.map(({ rows }) => rows)).size > 1)
    throw new UserError(`the branches of ${tree.fName} have different lengths`);
  return columns;
}
