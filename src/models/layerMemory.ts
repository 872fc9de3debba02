import { cpu } from '../runtime/device';
import { dtypeCode } from '../runtime/dtype';
import { elementsOf } from '../tensor/shape';
import { empty, type Tensor } from '../tensor/tensor';

/**
 * Memory of the layers, which a loop over many batches must not leave to the garbage collector.
 * @internal
 */
export class LayerMemory {
  private readonly memory = new Map<string, Tensor>();
  private readonly onDevice: Tensor[] = [];

  /** @param model - and which of its `argument`s the sizes come from: errors name both */
  constructor(
    readonly model: string,
    readonly argument: string,
    private readonly device: string,
    private readonly dtype = dtypeCode['float32'],
  ) {}

  /**
   * Where to write; the same place for every batch. On a device, operations make their own results.
   */
  place(name: string, shape: readonly number[], dtype = this.dtype): Tensor | undefined {
    if (this.device !== cpu.name) return undefined;
    const size = elementsOf(shape);
    let memory = this.memory.get(name);
    if (!memory || memory.size < size) {
      memory?.dispose();
      this.memory.set(name, (memory = empty(dtype, [size], cpu, this.model, this.argument)));
    }
    return memory._view(0, shape);
  }

  /** Registers memory to free after the batch. */
  use(made: Tensor): Tensor {
    if (this.device !== cpu.name) this.onDevice.push(made);
    return made;
  }

  endBatch(): void {
    for (const made of this.onDevice.splice(0)) made.dispose();
  }

  /** Frees everything; nothing that was written here may be looked at any more. */
  dispose(): void {
    this.endBatch();
    for (const memory of this.memory.values()) memory.dispose();
    this.memory.clear();
  }
}
