/** The base: the heap, float64 and statistics. float32.ts is a build of its own, in two kinds. */

export * from './float64';
export * from './heap';
export { scratch } from './scratch';
export * from './statistics';
