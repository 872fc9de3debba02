// Optimizers refuse settings as PyTorch does, where they are given.
import * as ups from 'upsilon-kernels';

import { thrown } from '../helpers';

const parameter = (): ups.Tensor => ups.tensor([1, 2], { requiresGrad: true });

describe('settings out of range', () => {
  const adam: [ups.optim.AdamOptions, string][] = [
    [{ learningRate: -1 }, 'learningRate'],
    [{ learningRate: NaN }, 'learningRate'],
    [{ learningRate: Infinity }, 'learningRate'],
    [{ beta1: 1 }, 'beta1'],
    [{ beta1: -0.1 }, 'beta1'],
    [{ beta2: 1 }, 'beta2'],
    [{ beta2: NaN }, 'beta2'],
    [{ epsilon: -1e-8 }, 'epsilon'],
    [{ weightDecay: -0.1 }, 'weightDecay'],
  ];
  test.each(adam)('Adam %j', (options, argument) => {
    const error = thrown(() => new ups.optim.Adam([parameter()], options));
    expect(error).toMatchObject({ name: 'ValueError', operation: 'adam', argument });
    // Where there is nothing to train as well.
    expect(thrown(() => new ups.optim.Adam([], options))).toMatchObject({ argument });
  });

  const sgd: [ups.optim.SgdOptions, string][] = [
    [{ learningRate: -1 }, 'learningRate'],
    [{ momentum: -0.9 }, 'momentum'],
    [{ momentum: NaN }, 'momentum'],
    [{ weightDecay: Infinity }, 'weightDecay'],
    [{ nesterov: true }, 'nesterov'],
    [{ nesterov: true, momentum: 0 }, 'nesterov'],
  ];
  test.each(sgd)('Sgd %j', (options, argument) => {
    const error = thrown(() => new ups.optim.Sgd([parameter()], options));
    expect(error).toMatchObject({ name: 'ValueError', operation: 'sgd', argument });
  });

  test('the ends of the ranges are allowed', () => {
    for (const options of [{ learningRate: 0 }, { beta1: 0, beta2: 0 }, { epsilon: 0 }])
      expect(() => new ups.optim.Adam([parameter()], options)).not.toThrow();
    expect(() => new ups.optim.Sgd([parameter()], { nesterov: true, momentum: 0.5 })).not.toThrow();
  });

  test('settings that change later are checked at the next step', () => {
    const w = parameter(),
      optimizer = new ups.optim.Adam([w], { learningRate: 0.1 });
    w.grad = ups.tensor([1, 1]);
    optimizer.options.learningRate = NaN;
    expect(thrown(() => optimizer.step())).toMatchObject({ name: 'ValueError', argument: 'learningRate' });
    expect(w.toArray()).toEqual([1, 2]);
  });
});

test('a parameter given twice is refused', () => {
  const w = parameter();
  for (const parameters of [[w, w], { weight: parameter(), a: w, b: w }])
    expect(thrown(() => new ups.optim.Adam(parameters))).toMatchObject({
      name: 'ValueError',
      argument: 'parameters',
      message: expect.stringContaining('are the same tensor') as string,
    });
});

test('noGrad refuses functions that go on after it has returned', () => {
  const later: (() => unknown)[] = [
    async () => Promise.resolve(1),
    function* () {
      yield 1;
    },
    async function* () {
      yield Promise.resolve(1);
    },
  ];
  for (const body of later) {
    const error = thrown(() => ups.noGrad(body));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ code: 'ERR_UPSILON_VALUE', operation: 'noGrad', argument: 'body' });
    expect(error.message).toContain('after noGrad has returned');
  }
});
