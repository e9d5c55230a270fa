/** The baseline build. The build with relaxed SIMD is float32.ts alone, beside this one. */

export * from './float32';
export * from './float64';
export * from './heap';
export * from './statistics';
