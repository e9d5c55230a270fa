/** The base: the heap, statistics, and the stages of float64. stages.ts is a build of its own. */

export * from './heap';
export * from './stages';
export * from './statistics';
