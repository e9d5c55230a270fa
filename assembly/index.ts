/** The base: the heap and statistics. The stages of each element type are builds of their own. */

export * from './heap';
export * from './statistics';
