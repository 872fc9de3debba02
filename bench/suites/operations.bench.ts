// Every operation on the headline shapes of kernels/<op>/cases.json, forward, backward and both
// together.
import type { BenchCase } from '../bench';
import { type Case, describe, loadCases } from '../cases';
import { neighbourhoods } from './neighbours.bench';
import { OperationCase } from './operation';

export function suite(): BenchCase[] {
  return casesOf(loadCases().map((at) => (neighbourhoods.has(at.suite) ? { ...at, suite: 'neighbours' } : at)));
}

function casesOf(cases: readonly Case[]): BenchCase[] {
  const found: BenchCase[] = [];
  for (const at of cases) {
    found.push(new OperationCase(at));
    const forward = cases.find(
      (other) => other.name === at.name && other.operation === at.operation.replace(/_backward$/, '_forward'),
    );
    if (forward && forward !== at && takesForward(at.operation)) found.push(new OperationCase(at, forward));
  }
  return found;
}

/**
 * Whether the backward pass has the inputs of the forward pass, so that both run on one set of
 * tensors.
 */
function takesForward(backward: string): boolean {
  const names = new Set(describe(backward)!.parameters.map(({ name }) => name));
  const { parameters, inputs } = describe(backward.replace(/_backward$/, '_forward'))!;
  return parameters.slice(0, inputs).every(({ name }) => names.has(name));
}
