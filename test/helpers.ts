import * as ups from 'upsilon-kernels';

/** Deterministic numbers in [-1, 1). */
export function numbers(count: number, seed = 1): number[] {
  let state = seed >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export function random(shape: number[], seed = 1, dtype: ups.DType = 'float64'): ups.Tensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return ups.tensor(ups.tensor(numbers(count, seed), { dtype }), { shape });
}

/** What a promise or function throws. */
export function thrown(body: () => unknown): ups.UpsilonError {
  try {
    body();
  } catch (error) {
    return error as ups.UpsilonError;
  }
  throw new Error('nothing was thrown');
}

/** Lets finalizers run. Needs --expose-gc. */
export async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 4; ++i) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * Compares gradients with central differences, in float64, where the reference computes.
 * @param parameters - differentiated one after the other
 */
export function checkGradients(
  parameters: ups.Tensor[],
  compute: () => ups.Tensor,
  step = 1e-5,
  tolerance = 1e-6,
): void {
  for (const parameter of parameters) {
    parameter.requiresGrad = true;
    parameter.grad = undefined;
  }
  const result = compute();
  const direction = random([...result.shape], 77);
  result.backward(direction);
  const project = (): number => {
    const data = ups.noGrad(compute).data as Float64Array;
    return data.reduce((sum, value, i) => sum + value * Number(direction.data[i]), 0);
  };
  for (const parameter of parameters) {
    const data = parameter.data as Float64Array;
    expect(parameter.grad?.shape).toEqual(parameter.shape);
    for (let i = 0; i < data.length; ++i) {
      const middle = data[i];
      data[i] = middle + step;
      const above = project();
      data[i] = middle - step;
      const below = project();
      data[i] = middle;
      const expected = (above - below) / (2 * step);
      expect(Math.abs(Number(parameter.grad!.data[i]) - expected)).toBeLessThan(tolerance * (1 + Math.abs(expected)));
    }
  }
}
