/**
 * The types of a build, for editors: scripts/build-kernels.ts compiles the stages once for each
 * element type (asc --use T=f64 --use E=f64). T is computed in, E is what tensors hold: the same, or
 * 16 bits beside float32, u16 for bfloat16 and i16 for float16.
 */
declare type T = f32;
declare type E = f32;
