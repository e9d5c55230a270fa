/** The base: the heap, float64 and statistics. The stages of float32 are builds of their own. */

export * from './heap';
export * from './stages';
export * from './statistics';
