/**
 * Exact sums of one element type, in builds of their own: few programs need them, and their bits
 * must not depend on relaxed SIMD.
 */

export { planeAtoms, rowAtoms } from './atoms';
export { addAtoms, boundAtoms, putValues } from './exact';
export { valueBounds } from './value-bounds';
export { valueWords } from './values';
