import { shown } from '../runtime/check';
import { ShapeError } from '../runtime/errors';

/** @internal */
export function elementsOf(shape: readonly number[]): number {
  let elements = 1;
  for (let d = 0; d < shape.length; ++d) elements *= shape[d];
  return elements;
}

/** @internal */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** The shape with its only -1 replaced; any other is left to {@link checkShape}. @internal */
export function inferredShape(shape: readonly number[], elements: number): readonly number[] {
  const wanted: unknown = shape;
  if (!Array.isArray(wanted) || shape.filter((extent) => extent === -1).length !== 1) return shape;
  const rest = elements / elementsOf(shape.filter((extent) => extent !== -1));
  return Number.isSafeInteger(rest) ? shape.map((extent) => (extent === -1 ? rest : extent)) : shape;
}

/** @internal */
export function checkShape(shape: readonly number[], elements: number | undefined, operation: string): void {
  if (
    !Array.isArray(shape) ||
    shape.length > 8 ||
    !shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)
  ) {
    const found = Array.isArray(shape) ? `[${shape.map(shown).slice(0, 9).join(', ')}]` : shown(shape);
    throw new ShapeError(operation, 'shape', `shape is ${found} (expected up to 8 integers of at least 0)`);
  }
  if (elements !== undefined && elementsOf(shape) !== elements) {
    throw new ShapeError(
      operation,
      'shape',
      `shape ${shapeText(shape)} has ${elementsOf(shape)} elements but there are ${elements}`,
    );
  }
}
