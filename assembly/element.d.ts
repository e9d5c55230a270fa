/**
 * The types of a build, for editors: scripts/build-kernels.ts compiles the stages once for each
 * element type (asc --use T=f64 --use E=f64). T is the type of computations, E of a tensor's
 * elements: equal to T, or 16 bits with T = f32: u16 for bfloat16 and i16 for float16.
 */
declare type T = f32;
declare type E = f32;
