/**
 * The element type of a build, for editors: scripts/build-kernels.ts compiles the stages once with
 * float32 and once with float64 (asc --use T=f64).
 */
declare type T = f32;
