/** Assignments to a layer's properties take effect or throw; none is ignored. */

/** Makes assignments throw for all properties that a prototype has a getter but no setter for. */
export function refuseAssignments(prototype: object): void {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (property.get === undefined || property.set !== undefined) continue;
    Object.defineProperty(prototype, name, { ...property, set: refuse(name) });
  }
}

/**
 * Lets a prototype show `fields` of its instances, which cannot be assigned. Accessors of each
 * instance would be slower: they take it out of the engine's fast mode.
 */
export function showFields<T extends object>(
  prototype: T,
  names: readonly (keyof T & string)[],
  fields: (layer: T) => Partial<T>,
): void {
  for (const name of names) {
    Object.defineProperty(prototype, name, {
      get(this: T) {
        return fields(this)[name];
      },
      set: refuse(name),
      enumerable: true,
      configurable: true,
    });
  }
}

function refuse(name: string): (this: object) => never {
  return function (this: object) {
    throw new TypeError(
      `${(this as { label?: string }).label}: ${name} cannot be assigned; eps and momentum can, ` +
        'parameters and statistics take numbers by loadStateDict or in their data',
    );
  };
}
