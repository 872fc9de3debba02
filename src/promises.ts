/**
 * The operations of the package, each returning a promise and running off the main thread, as `fs/promises` to `fs`.
 * Calls of one JavaScript thread run one after the other, in order, on one thread of libuv's pool. Until the promise is
 * settled, inputs must not be changed, resized or transferred.
 */
import * as operations from './operations';
import { promised } from './promised';

export const { embedding, graphConv, linear, mlp, random, setPool, spmm, treeConv } = promised(operations);
