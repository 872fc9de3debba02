// Between a device and this process: what shapes a result has to be looked at here, and what is
// worked out here belongs where the other arguments are.
import { cpu } from '../runtime/device';
import { codeOfArray, type TypedArray } from '../runtime/dtype';
import { wrapArray } from '../runtime/memory';
import { immediately } from '../runtime/queue';
import { Tensor } from './tensor';

/** The elements, at once, also while other calls are queued. @internal */
export function onHost(given: Tensor): TypedArray {
  return immediately(() => given.detach().to(cpu.name)).data;
}

/** A tensor of these elements where `like` is. @internal */
export function besides(like: Tensor, array: TypedArray, shape: readonly number[] = [array.length]): Tensor {
  return new Tensor(wrapArray(array), codeOfArray(array)!, shape, cpu).to(like.device);
}
