/** Averages and broadcasts of more numbers than one all-reduce takes, of lists that any rank can make. */

import {
  type AverageOptions,
  allocateTensor,
  averageGradients,
  broadcastParameters,
  type DType,
  getRank,
  Parameter,
  startAverageGradients,
  startBroadcastParameters,
  Tensor,
} from 'syncbn';

/** One gradient. */
export interface Entry {
  dtype: DType;
  length: number;
  /** Elements that lie before it in its buffer. */
  offset?: number;
  /** If true, it lies in the kernels' memory, which grows before the next entry is made. */
  allocated?: boolean;
  /** Ranks whose parameter has no gradient; the entry is a parameter then. */
  missing?: number[];
}

export interface AverageScript {
  entries: Entry[];
  /** Of each rank. */
  counts?: number[];
  lossReduction?: 'mean' | 'sum';
  /** A rank whose gradients are NaN. */
  spoilt?: number;
  /** Whether the rank may only await. */
  awaited?: boolean;
}

/** Numbers of many magnitudes, of which sums in another order differ. */
export function elementOf(rank: number, entry: number, i: number): number {
  const wave = Math.sin((i + 1) * (rank + 1.5) + entry);
  return wave * 10 ** (((i * 7 + rank) % 9) - 4);
}

function arrayOf(entry: Entry, rank: number, e: number): Tensor {
  const { dtype, length, offset = 0, allocated } = entry;
  const values = Float64Array.from({ length }, (_, i) => elementOf(rank, e, i));
  const tensor = Tensor.from(values, [length], dtype).clone();
  const { data } = tensor;
  if (allocated) {
    const { data: room } = allocateTensor([offset + length], dtype);
    allocateTensor([1 << 20]).dispose();
    room.set(data, offset);
    return new Tensor(room.subarray(offset), [length], dtype);
  }
  const room = new (data.constructor as Float32ArrayConstructor)(offset + length);
  const moved = room.subarray(offset);
  moved.set(data);
  return new Tensor(moved, [length], dtype);
}

/** The results, numbers for each entry; null: no gradient. */
export type Results = (Float64Array | null)[];

/** Averages, in place, and then takes rank 0's numbers of the same lists. */
export async function runAverages(script: AverageScript): Promise<[Results, Results]> {
  const rank = getRank();
  const { entries, counts, lossReduction, spoilt, awaited } = script;
  const made = () => entries.map((entry, e) => holderOf(entry, rank, e, spoilt === rank));
  const holders = made();
  const sampleCount = counts?.[rank];
  const options = {
    ...(sampleCount !== undefined && { sampleCount }),
    ...(lossReduction !== undefined && { lossReduction }),
  };
  if (awaited) await startAverageGradients(holders, options).done();
  else averageGradients(holders, options);
  const averages = holders.map((holder) => {
    const gradient = holder instanceof Parameter ? holder.grad : holder;
    return gradient && Float64Array.from(gradient.toFloats());
  });
  const values = entries.map((entry, e) => arrayOf(entry, rank, e));
  if (awaited) await startBroadcastParameters(values).done();
  else broadcastParameters(values);
  return [averages, values.map((value) => Float64Array.from(value.toFloats()))];
}

function holderOf(entry: Entry, rank: number, e: number, isSpoilt: boolean): Tensor | Parameter {
  const tensor = arrayOf(entry, rank, e);
  if (isSpoilt) tensor.data.fill(tensor.data instanceof Uint16Array ? 0x7fc0 : Number.NaN);
  if (entry.missing === undefined) return tensor;
  const parameter = new Parameter(`p${e}`, Tensor.zeros([entry.length], entry.dtype));
  parameter.grad = entry.missing.includes(rank) ? null : tensor;
  return parameter;
}

/** On rank 1 an array is given away while the call is under way. */
export async function runDetached(rank: number): Promise<void> {
  const [first, second] = [new Float32Array(5000), new Float32Array(100_000)];
  const work = startAverageGradients([first, second]);
  if (rank === 1) structuredClone(second, { transfer: [second.buffer] });
  await work.done();
}

/** A parameter's gradients on this rank, one for each of its samples; null: it has none. */
export interface SampleScript {
  shape: number[];
  dtype: DType;
  samples: Float64Array[] | null;
  options: AverageOptions;
}

/** The exact average; null: no gradient. */
export function averageSamples({ shape, dtype, samples, options }: SampleScript) {
  const parameter = new Parameter('p', Tensor.zeros(shape, dtype));
  if (samples !== null) {
    const all = Float64Array.from(samples.flatMap((sample) => [...sample]));
    parameter.grad = Tensor.from(all, [samples.length, ...shape], dtype);
  }
  averageGradients([parameter], { reproducible: true, ...options });
  const { grad } = parameter;
  return grad && { shape: grad.shape, values: Float64Array.from(grad.toFloats()) };
}
