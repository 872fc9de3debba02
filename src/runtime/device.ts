import { shown } from './check';
import { DeviceError } from './errors';
import { seekPlugins } from './native';

/** @internal */
export interface Device {
  readonly name: string;
  /** `ups_device_type`, DLPack's numbers. */
  readonly type: number;
  readonly id: number;
}

/** @internal */
export const cpu: Device = { name: 'cpu', type: 1, id: 0 };
/** @internal */
export const CUDA = 2;
const EMULATED = 12;
const known = new Map<string, Device>([['cpu', cpu]]);

/** @internal */
export function deviceOf(name: string, operation = 'tensor'): Device {
  const seen = known.get(name);
  if (seen) return seen;
  const parts = typeof name === 'string' ? /^(cuda|emulated)(?::(\d{1,4}))?$/.exec(name) : null;
  if (!parts) {
    throw new DeviceError(
      operation,
      'device',
      `device is ${shown(name)} (expected 'cpu', 'cuda:0' or another number, 'emulated:0')`,
    );
  }
  seekPlugins();
  const id = Number(parts[2] ?? 0);
  const device = { name: `${parts[1]}:${id}`, type: parts[1] === 'cuda' ? CUDA : EMULATED, id };
  known.set(name, device);
  return device;
}
