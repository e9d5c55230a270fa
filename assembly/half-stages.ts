/** The stages of a 16-bit element type, and its elements as float32 and back. */

export { narrow, widen } from './half';
export * from './stages';
