import type { Vector } from 'apache-arrow';

import { Kernel } from '../operation/kernel';
import { toOutput } from '../operation/operation';
import { KnownOptions, shown } from '../runtime/check';
import { dtypeCode } from '../runtime/dtype';
import { ValueError } from '../runtime/errors';
import { asRagged, type Ragged, type RaggedLike } from '../tensor/ragged';
import { asTensor, type Tensor, type TensorLike } from '../tensor/tensor';
import { rowsOf } from '../tensor/views';

/** The thirty variables by basf2's names, in their order. */
export const eventShapeNames = [
  'R2',
  'thrustBm',
  'thrustOm',
  'cosTBTO',
  'cosTBz',
  'KSFWVariables(et)',
  'KSFWVariables(mm2)',
  'KSFWVariables(hso00)',
  'KSFWVariables(hso02)',
  'KSFWVariables(hso04)',
  'KSFWVariables(hso10)',
  'KSFWVariables(hso12)',
  'KSFWVariables(hso14)',
  'KSFWVariables(hso20)',
  'KSFWVariables(hso22)',
  'KSFWVariables(hso24)',
  'KSFWVariables(hoo0)',
  'KSFWVariables(hoo1)',
  'KSFWVariables(hoo2)',
  'KSFWVariables(hoo3)',
  'KSFWVariables(hoo4)',
  'CleoConeCS(1)',
  'CleoConeCS(2)',
  'CleoConeCS(3)',
  'CleoConeCS(4)',
  'CleoConeCS(5)',
  'CleoConeCS(6)',
  'CleoConeCS(7)',
  'CleoConeCS(8)',
  'CleoConeCS(9)',
] as const;
export type EventShape = (typeof eventShapeNames)[number];

/** The particles of B candidates and of the rest of their events, in the centre-of-mass frame. */
export interface EventShapeInputs {
  /** `[N, 4]` with boundaries of B candidates: px, py, pz, E {GeV}. */
  p4: Ragged | RaggedLike | Vector;
  /** `[N]` {e} */
  charge: TensorLike;
  /**
   * uint8 `[N]`: 0 rest of the event, 1 final-state particle of the B, 2 daughter of the B, 3 both.
   */
  role: TensorLike;
  /** `[B]`: E* of the candidates {GeV}. */
  energy: TensorLike;
}

export interface EventShapeOptions {
  /**
   * The signal side of et, mm2 and the KSFW moments: basf2's default, or its `'FS1'`. Default
   * `'daughters'`.
   */
  signal?: 'daughters' | 'finalState';
  /**
   * Particles in the CLEO cones: all of the final state, or the rest of the event. Default `'all'`.
   */
  cones?: 'all' | 'rest';
  /** Total energy of the collision {GeV}. Default 10.5794, the Υ(4S). */
  cmsEnergy?: number;
  /** `[30, B]` */
  out?: TensorLike;
}

const shapes = new Kernel('event_shapes', { y: 'out' }, 'eventShapes');
const thrusts = new Kernel('thrust', { y: 'out' });
const one = { charge: 'particle', role: 'particle', energy: 'candidate' };
const uint8 = dtypeCode['uint8'];
const knownInputs = new KnownOptions('p4', 'charge', 'role', 'energy');
const knownOptions = new KnownOptions('signal', 'cones', 'cmsEnergy', 'out');
const knownThrustOptions = new KnownOptions('out');

/**
 * The thirty variables that separate B decays from continuum: R2, thrust, KSFW moments and CLEO
 * cones, by basf2's conventions (docs/event-shapes.md). Undefined values, such as the thrust of no
 * particles, are 0. There are no gradients.
 * @returns a column `[B]` for every name, all on one memory `[30, B]`
 * @throws ValueError for momenta that are not finite, and boundaries that decrease or overrun
 * @throws ShapeError, DTypeError
 */
export function eventShapes(event: EventShapeInputs, options: EventShapeOptions = {}): Record<EventShape, Tensor> {
  if (typeof event !== 'object' || event === null)
    throw new ValueError('eventShapes', 'event', `event is ${shown(event)} (expected { p4, charge, role, energy })`);
  knownInputs.check(event, 'eventShapes', 'event');
  knownOptions.check(options, 'eventShapes');
  const { values, offsets } = asRagged(event.p4, 'eventShapes', 'p4');
  const real = values._dtype;
  const given = (name: 'charge' | 'role' | 'energy', dtype: number | undefined): Tensor => {
    const source = event[name];
    if (source === undefined || source === null)
      throw new ValueError('eventShapes', name, `${name} is missing (expected one for every ${one[name]})`);
    return asTensor(source, Array.isArray(source) ? dtype : undefined, 'eventShapes', name);
  };
  const inputs = [values, given('charge', real), given('role', uint8), offsets, given('energy', real)];
  const { out, ...settings } = options;
  const made = out === undefined ? undefined : [toOutput(out, 'eventShapes')];
  const table = shapes.run(inputs, settings, made)[0]!;
  const candidates = table.shape.slice(1);
  return Object.fromEntries(
    eventShapeNames.map((name, v) => [name, rowsOf(table, v, v + 1).reshape(candidates)]),
  ) as Record<EventShape, Tensor>;
}

/**
 * Thrust of each event's particles (Brandt and Dahmen, Z. Phys. C 1 (1979) 61): the vector whose
 * length is the thrust, from 1/2 to 1, and whose direction is the axis; 0 for an event without
 * momentum. Found as in basf2, starting from every momentum and flipping signs. There are no
 * gradients.
 * @param p - `[N, 3]` with boundaries of B events: momenta in the frame of the collision {GeV}
 * @returns `[B, 3]`
 * @throws ValueError for momenta that are not finite, and boundaries that decrease or overrun
 * @throws ShapeError, DTypeError
 */
export function thrust(p: Ragged | RaggedLike | Vector, options: { out?: TensorLike } = {}): Tensor {
  knownThrustOptions.check(options, 'thrust');
  const { values, offsets } = asRagged(p, 'thrust', 'p');
  const made = options.out === undefined ? undefined : [toOutput(options.out, 'thrust')];
  return thrusts.run([values, offsets], undefined, made)[0]!;
}
