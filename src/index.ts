export * from './core/errors.js';
export { type MpiWorld, type MpiWorldOptions, mpiWorldFromEnvironment } from './group/mpi/index.js';
export { ProcessGroup } from './group/process-group.js';
export { SoloWorld } from './group/solo.js';
export type { Work } from './group/transport.js';
