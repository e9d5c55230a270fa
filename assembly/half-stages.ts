/** The stages of a 16-bit element type, and the conversions of its elements to float32 and back. */

export { narrow, widen } from './half';
export * from './stages';
