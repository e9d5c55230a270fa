/** Operations on the members' slots: combinations of collectives, and averages. */

export { averageFloat32, averageFloat64 } from './average';
export { reduceFloat32, reduceFloat64, reduceInt32 } from './reduce';
