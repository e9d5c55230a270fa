/** The callbacks around the user's, by which all ranks see and decide alike. */

import { CustomCallback, type CustomCallbackArgs } from '@tensorflow/tfjs-layers';
import type { EpochLogs } from './epoch.js';

/** `fit`'s own parameters, as it tells callbacks. */
export interface FitParameters {
  readonly samples: number;
  readonly batchSize: number;
  readonly doValidation: boolean;
}

/** Events around the user's callbacks. */
export interface Surroundings {
  /** After the user's, so that an earlier wish to stop is dropped. */
  afterTrainBegin(): void;
  beforeEpochBegin(parameters: FitParameters): void;
  afterEpochBegin(): void;
  /** Before the user's callbacks see the logs. */
  beforeEpochEnd(logs: EpochLogs, parameters: FitParameters): void;
  afterEpochEnd(): void;
  afterTrainEnd(): void;
}

/** The user's callbacks as `fit` takes them. */
export type Callbacks = CustomCallback | CustomCallbackArgs;

/** TensorFlow.js takes a list whose first element is an instance as it stands: no plain objects. */
export function surround(
  given: Callbacks | Callbacks[] | undefined,
  yieldEvery: ConstructorParameters<typeof CustomCallback>[1] | undefined,
  surroundings: Surroundings,
): CustomCallback[] {
  // Without callbacks, an empty one: `fit` yields to the event loop only in the user's callbacks.
  const list = given === undefined ? [{}] : [given].flat();
  const users = list.map((callback) =>
    isInstance(callback) ? callback : new CustomCallback(callback, yieldEvery ?? 'auto'),
  );
  return [new Before(surroundings), ...users, new After(surroundings)];
}

function isInstance(callback: Callbacks): callback is CustomCallback {
  return typeof (callback as Partial<CustomCallback>).setParams === 'function';
}

class Before extends CustomCallback {
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    super({}, 'never');
    this.#surroundings = surroundings;
  }

  override async onEpochBegin(): Promise<void> {
    this.#surroundings.beforeEpochBegin(this.params as unknown as FitParameters);
  }

  override async onEpochEnd(_epoch: number, logs: EpochLogs = {}): Promise<void> {
    this.#surroundings.beforeEpochEnd(logs, this.params as unknown as FitParameters);
  }
}

class After extends CustomCallback {
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    super({}, 'never');
    this.#surroundings = surroundings;
  }

  override async onTrainBegin(): Promise<void> {
    this.#surroundings.afterTrainBegin();
  }

  override async onEpochBegin(): Promise<void> {
    this.#surroundings.afterEpochBegin();
  }

  override async onEpochEnd(): Promise<void> {
    this.#surroundings.afterEpochEnd();
  }

  override async onTrainEnd(): Promise<void> {
    this.#surroundings.afterTrainEnd();
  }
}
