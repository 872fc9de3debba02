import { cpu, type Device } from '../runtime/device';
import { call } from '../runtime/frame';
import { type OptionValues, Plan } from '../runtime/plan';
import { empty, type Tensor } from '../tensor/tensor';

/** One operation of the C library, ready to be called. */
export class Kernel {
  private plan: Plan | undefined;

  /**
   * @param name - in the C library
   * @param words - what users call its arguments, by their names in the schema, where that differs
   * @param as - what users call the operation, where that differs
   */
  constructor(
    readonly name: string,
    private readonly words?: Readonly<Record<string, string>>,
    private readonly as?: string,
  ) {}

  get description(): Plan {
    return (this.plan ??= new Plan(this.name, this.words, this.as));
  }

  /**
   * @param inputs - in schema order
   * @param options - by their camelCase names
   * @param outputs - in schema order; made here where not given and wanted
   * @param wanted - which outputs are wanted; default all
   */
  run(
    inputs: readonly (Tensor | undefined)[],
    options?: OptionValues,
    outputs?: readonly (Tensor | undefined)[],
    wanted?: readonly boolean[],
  ): (Tensor | undefined)[] {
    const plan = this.description;
    // Looks at the user's object, whose getters may call operations: so it comes before the
    // tensors.
    plan.writeOptions(options);
    let device: Device | undefined;
    for (let i = 0; i < plan.inputs; ++i) {
      const input = inputs[i];
      if (input === undefined) continue;
      if (input._disposed) plan.wasDisposedOf(i);
      device ??= input._device;
    }
    const given = inputs.length === plan.inputs ? inputs : Array.from({ length: plan.inputs }, (_, i) => inputs[i]);
    const results: (Tensor | undefined)[] = [];
    for (let k = 0; k < plan.outputs.length; ++k) {
      let output = outputs?.[k];
      if (output?._disposed) plan.wasDisposedOf(plan.inputs + k);
      if (output === undefined && wanted?.[k] !== false && !plan.outputs[k].inPlace)
        output = empty(
          plan.typeOfOutput(k, inputs),
          plan.shapeOfOutput(k, inputs),
          device ?? cpu,
          plan.publicName,
          plan.publicNames[plan.inputs + k],
        );
      if (output) device ??= output._device;
      results.push(output);
    }
    call(plan.index, given, results, device ?? cpu, plan.caller);
    return results;
  }
}
