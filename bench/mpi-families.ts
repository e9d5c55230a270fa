/** The MPI libraries that the benchmarks measure. */

const ROOT = process.getuid?.() === 0 ? ['--allow-run-as-root'] : [];

export const FAMILIES = [
  {
    name: 'Open MPI',
    compiler: 'mpicc.openmpi',
    launcher: ['mpirun.openmpi', ...ROOT, '--bind-to', 'none', '--oversubscribe'],
  },
  { name: 'MPICH', compiler: 'mpicc.mpich', launcher: ['mpiexec.mpich'] },
] as const;
