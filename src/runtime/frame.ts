// Packs calls into the frame (native/addon/frame.h). Nothing here knows an operation.
import { cpu, type Device } from './device';
import type { TypedArray } from './dtype';
import { noteDeviceCall } from './failure';
import { blockUnder, type Elements, Kind } from './memory';
import { frameLayout, native } from './native';
import { queue } from './queue';

const frame = new Float64Array(frameLayout.buffer);
/** The same memory, for options of 64 bits. */
const frameBits = new BigInt64Array(frameLayout.buffer);
const { optionsAt, tensorsAt, tensorStride } = frameLayout;
// Not where they are declared: what is, is looked up in the module's exports at every use.
export { frame, frameBits, optionsAt };
const calls = queue;
const copyOperation = -1;
const noCaller = -1;

/**
 * The typed arrays of the call that is being packed. One list for all calls: between the first
 * `pack` and `submit` no code of the user runs.
 */
const arrays: TypedArray[] = [];
let arrayCount = 0;
const nothing: TypedArray = new Uint8Array(0);

/** Writes one tensor into the frame. */
function pack(at: number, elements: Elements | undefined): void {
  if (elements === undefined) {
    frame[at] = Kind.absent;
    return;
  }
  const memory = elements._memory;
  const shape = elements.shape;
  const array = memory.array;
  frame[at] = memory.kind;
  frame[at + 1] = elements._dtype;
  frame[at + 2] = shape.length;
  frame[at + 3] = memory.byteOffset;
  if (memory.kind === Kind.block) {
    frame[at + 4] = memory.block;
  } else {
    const block = calls.pending && blockUnder(array!);
    if (block) {
      frame[at] = Kind.block;
      frame[at + 3] = array!.byteOffset;
      frame[at + 4] = block.id!;
    } else {
      arrays[arrayCount++] = array!;
    }
  }
  for (let d = 0; d < shape.length && d < 8; ++d) frame[at + 5 + d] = shape[d];
}

function submit(operation: number, device: Device, caller: number): void {
  frame[0] = operation;
  frame[1] = device.type;
  frame[2] = device.id;
  frame[3] = caller;
  const count = arrayCount;
  arrayCount = 0;
  try {
    const { pending } = calls;
    if (pending) {
      pending.push(native.callAsync(...arrays.slice(0, count)));
      return;
    }
    // Spreading a list costs more than the smallest kernels.
    switch (count) {
      case 1:
        return native.call(arrays[0]);
      case 2:
        return native.call(arrays[0], arrays[1]);
      case 3:
        return native.call(arrays[0], arrays[1], arrays[2]);
      case 4:
        return native.call(arrays[0], arrays[1], arrays[2], arrays[3]);
      default:
        return native.call(...arrays.slice(0, count));
    }
  } finally {
    // No large array may outlive its call here.
    for (let i = 0; i < count; ++i) arrays[i] = nothing;
  }
}

/**
 * Calls an operation, whose options are in the frame by now.
 * @param operation - its number
 * @param inputs - in schema order, as many as the operation has; undefined for omitted ones
 * @param outputs - likewise
 * @param caller - whose call it is, for errors
 */
export function call(
  operation: number,
  inputs: readonly (Elements | undefined)[],
  outputs: readonly (Elements | undefined)[],
  device: Device,
  caller: number,
): void {
  let at = tensorsAt;
  arrayCount = 0;
  for (let i = 0; i < inputs.length; ++i, at += tensorStride) pack(at, inputs[i]);
  for (let k = 0; k < outputs.length; ++k, at += tensorStride) pack(at, outputs[k]);
  if (device !== cpu) noteDeviceCall(caller);
  submit(operation, device, caller);
}

/** Copies elements between memory of one shape and type, on any devices. */
export function copy(source: Elements, destination: Elements): void {
  arrayCount = 0;
  pack(tensorsAt, source);
  pack(tensorsAt + tensorStride, destination);
  submit(copyOperation, source._device === cpu ? destination._device : source._device, noCaller);
}
