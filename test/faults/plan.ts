/** What one world runs, all of it from one seed; every rank works it out for itself. */

import { Draw } from './draw.js';
import {
  type Driver,
  FAULT_KINDS,
  type Fault,
  type FaultKind,
  makeFault,
  traitsOf,
} from './fault.js';
import { makeProgram, type Program } from './program.js';

export const CARRIERS = ['threads', 'mpich', 'openmpi'] as const;
export type Carrier = (typeof CARRIERS)[number];

/** What names a plan; small enough to go to every rank. */
export interface PlanKey {
  readonly seed: number;
  readonly carrier: Carrier;
  /** Kinds of faults to draw from. */
  readonly kinds: readonly FaultKind[];
}

export interface Plan extends PlanKey {
  readonly program: Program;
  readonly fault: Fault;
  /** Seconds that a collective may take. */
  readonly timeout: number;
  /**
   * What a rank does with its error: nobody catches it, and so the rank fails; or it is caught,
   * and the rank leaves the world.
   */
  readonly afterError: 'fails' | 'leaves';
  readonly driver: Driver;
}

/** Deadlines in seconds: short if they are what must end the calls, else far off. */
const SHORT: Record<Carrier, number> = { threads: 0.8, mpich: 1.5, openmpi: 1.5 };
const LONG = 10;
/** Programs tried until one has a call that suits the fault. */
const TRIES = 100;

export function makePlan({ seed, carrier, kinds }: PlanKey): Plan {
  const draw = new Draw(seed);
  const kind = draw.pick(kinds);
  const { stalls = false, plain = false } = traitsOf(kind);
  const timeout = stalls ? SHORT[carrier] : LONG;
  for (let i = 0; i < TRIES; i++) {
    const program = makeProgram(draw, draw.between(2, 5), plain);
    const fault = makeFault(draw, kind, program, timeout);
    if (fault === null) continue;
    const afterError = draw.chance(0.75) ? 'fails' : 'leaves';
    return {
      seed,
      carrier,
      kinds,
      program,
      fault,
      timeout,
      afterError,
      driver: driverOf(draw, kind),
    };
  }
  throw new Error(`no program for fault '${kind}' from seed ${seed} in ${TRIES} tries`);
}

/** Ranks of their own cost more to start, but are a launch as users make it. */
function driverOf(draw: Draw, kind: FaultKind): Driver {
  const own = draw.chance(traitsOf(kind).deadly ? 0.25 : 0.04);
  return traitsOf(kind).driver ?? (own ? 'own' : 'pool');
}

/** Kinds by name. @throws RangeError for one that is none */
export function kindsOf(names: readonly string[]): FaultKind[] {
  for (const name of names) {
    if (!FAULT_KINDS.includes(name as FaultKind)) {
      throw new RangeError(`--fault: '${name}' must be one of ${FAULT_KINDS.join(', ')}`);
    }
  }
  return names as FaultKind[];
}
