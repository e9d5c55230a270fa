/** Starts one call of a program on a rank, and checks the values that come out of it. */

import {
  averageGradients,
  broadcastParameters,
  GlobalBatchNorm,
  type GlobalBatchNormOptions,
  Parameter,
  type ProcessGroup,
  SyncBatchNorm,
  Tensor,
  type Work,
} from 'syncbn';
import type { FaultKind } from './fault.js';
import { isBlocking, type Op, type Program } from './program.js';
import {
  difference,
  gradientsOf,
  inputOf,
  layerGradient,
  layerInput,
  layerResult,
  membersOf,
  type Numbers,
  resultOf,
} from './values.js';

/** A call under way. Its ends give what is wrong with the values, or null. */
export interface Pending {
  readonly op: Op;
  /** Array that the call works on; null where it has none. */
  readonly input: Numbers | null;
  wait(): string | null;
  done(): Promise<string | null>;
}

/** Relative to 1 + |expected|; layers compute in float64. */
const TOLERANCE = 1e-9;

type Layer = SyncBatchNorm | GlobalBatchNorm;

export class Calls {
  readonly #program: Program;
  readonly #rank: number;
  readonly #layers = new Map<string, Layer>();

  constructor(program: Program, rank: number) {
    this.#program = program;
    this.#rank = rank;
  }

  /** @param twist the way in which this rank's call is wrong; null: it is right */
  start(op: Op, group: ProcessGroup, twist: FaultKind | null): Pending {
    const call = twist === null ? op : twistedOp(op, twist);
    if (!isBlocking(call)) return this.#startPlain(call, group, twist);
    const wrong = this.#run(call, group, twist);
    return { op, input: null, wait: () => wrong, done: async () => wrong };
  }

  #startPlain(op: Op, group: ProcessGroup, twist: FaultKind | null): Pending {
    const { kind, label, root, reduce } = op;
    if (kind === 'barrier') return pending(op, null, group.barrier({ label }), () => null);
    const input = inputOf(op, this.#rank);
    if (twist === 'detached before') detach(input);
    const data = twist === 'argument' ? ([...input] as unknown as Numbers) : input;
    const check = (result: Numbers) => difference(result, resultOf(op, group.ranks));
    if (kind === 'allReduce') {
      return pending(op, input, group.allReduce(data, { label, op: reduce }), check);
    }
    if (kind === 'allGather') return pending(op, input, group.allGather(data, { label }), check);
    return pending(op, input, group.broadcast(data, { label, root }), check);
  }

  #run(op: Op, group: ProcessGroup, twist: FaultKind | null): string | null {
    if (op.kind === 'average') return this.#average(op, group, twist);
    if (op.kind === 'parameters') return this.#broadcast(op, group, twist);
    return this.#runLayer(op, group, twist);
  }

  #average(op: Op, group: ProcessGroup, twist: FaultKind | null): string | null {
    const own = parametersOf(gradientsOf(op, this.#rank));
    averageGradients(twist === 'gradient order' ? own.toReversed() : own, { group });
    const all = group.ranks.map((rank) => gradientsOf(op, rank));
    const mean = (which: 0 | 1) =>
      all[0][which].map((_, i) => all.reduce((sum, g) => sum + g[which][i], 0) / all.length);
    return (
      difference(own[0].grad!.data, mean(0), TOLERANCE) ??
      difference(own[1].grad!.data, mean(1), TOLERANCE)
    );
  }

  #broadcast(op: Op, group: ProcessGroup, twist: FaultKind | null): string | null {
    const values = (rank: number) => {
      const [first] = gradientsOf(op, rank);
      return [first, first.map((value) => -value)];
    };
    const own = parametersOf(values(this.#rank));
    const given = twist === 'parameter order' ? own.toReversed() : own;
    broadcastParameters(given, { group, root: op.root });
    const [first, second] = values(group.ranks[op.root]);
    return difference(own[0].data.data, first) ?? difference(own[1].data.data, second);
  }

  #runLayer(op: Op, group: ProcessGroup, twist: FaultKind | null): string | null {
    const layer = this.#layer(op, group, twist);
    const { values, shape } = layerInput(op, this.#rank);
    const x =
      twist === 'layer shape'
        ? Tensor.zeros([2, op.channels + 1], 'float64')
        : Tensor.from(values, shape, 'float64');
    const y = layer.forward(x);
    const expected = layerResult(op, membersOf(this.#program, op), this.#rank);
    const wrong = difference(y.data, expected.y, TOLERANCE);
    if (wrong !== null || !op.backward) return wrong;
    const dx = layer.backward(Tensor.from(layerGradient(op, this.#rank), shape, 'float64'));
    return difference(dx.data, expected.dx, TOLERANCE);
  }

  /** Names of the groups that calls of the program's group `g` run over besides it. */
  layerGroups(g: number): string[] {
    const own = this.#program.ops.filter((op) => op.kind === 'globalLayer' && op.group === g);
    // All layers here have the same one, of all ranks.
    return own.slice(0, 1).map((op) => this.#globalLayer(op).processGroup.name);
  }

  /** Layers live as long as the program, as those of a model do. */
  #layer(op: Op, group: ProcessGroup, twist: FaultKind | null): Layer {
    if (twist === 'layer name') return this.#makeLayer(op, group, 'another', 1e-5);
    if (twist === 'layer options') return this.#makeLayer(op, group, layerName(op), 1e-3);
    const known = this.#layers.get(layerName(op));
    if (known !== undefined) return known;
    const layer = this.#makeLayer(op, group, layerName(op), 1e-5);
    this.#layers.set(layerName(op), layer);
    return layer;
  }

  #makeLayer(op: Op, processGroup: ProcessGroup, name: string, eps: number): Layer {
    const options = { name, eps, dtype: 'float64' } as const;
    if (op.kind === 'layer') return new SyncBatchNorm(op.channels, { ...options, processGroup });
    return this.#globalLayer(op, options);
  }

  #globalLayer(op: Op, options: GlobalBatchNormOptions = {}): GlobalBatchNorm {
    const deviceNumEachGroup = this.#program.size;
    return new GlobalBatchNorm(op.channels, { ...options, deviceNumEachGroup }).setTrain();
  }
}

const layerName = ({ kind, group, channels }: Op) => `${kind}.${group}.${channels}`;

function pending<T>(
  op: Op,
  input: Numbers | null,
  work: Work<T>,
  check: (result: T) => string | null,
): Pending {
  return {
    op,
    input,
    wait: () => check(work.wait()),
    done: async () => check(await work.done()),
  };
}

/** Parameters 'a' and 'b', whose values and gradients these are. */
function parametersOf(values: readonly Float64Array[]): Parameter[] {
  return values.map((numbers, i) => {
    const parameter = new Parameter('ab'[i], Tensor.from(numbers));
    parameter.grad = Tensor.from(numbers.slice());
    return parameter;
  });
}

/** Sends the array's memory away, as `postMessage` with a transfer list does. */
export function detach(array: Numbers): void {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
}

/** The call as a rank makes it that has another one in mind. */
function twistedOp(op: Op, twist: FaultKind): Op {
  switch (twist) {
    case 'operation':
      return { ...op, kind: op.kind === 'barrier' ? 'allGather' : 'barrier' };
    case 'reduction':
      return { ...op, reduce: op.reduce === 'sum' ? 'max' : 'sum' };
    case 'length':
      return { ...op, length: op.length + 17 };
    case 'type':
      return { ...op, type: op.type === 'float64' ? 'int32' : 'float64' };
    case 'root':
      return { ...op, root: op.root === 0 ? 1 : 0 };
    case 'label':
      return { ...op, label: 'another' };
    default:
      return op;
  }
}
