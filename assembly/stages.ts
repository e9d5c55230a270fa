/** The stages of one element type, in two variants: docs/kernels.md tells which arrays get which. */

export { planeInputGradient, planeNormalize } from './plane-map';
export { planeGradientSums, planeMoments } from './plane-sums';
export { rowInputGradient, rowNormalize } from './row-map';
export { rowGradientSums, rowMoments } from './row-stages';
