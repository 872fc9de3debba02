import { call } from './frame';
import type { Elements } from './memory';
import { Plan } from './plan';

let plan: Plan | undefined;

/** `to += scale * source`, where both are of one shape, type and device. */
export function addTo(source: Elements, to: Elements, scale?: number): void {
  plan ??= new Plan('accumulate');
  if (source._disposed) plan.wasDisposedOf(0);
  if (to._disposed) plan.wasDisposedOf(1);
  plan.writeOptions({ scale });
  call(plan.index, [source], [to], to._device, plan.caller);
}
