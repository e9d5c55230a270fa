/** Finds out who launched this process, from variables that MPI launchers set. Loads nothing. */

/** Libraries whose handles and constants agree. */
export type MpiFamily = 'openmpi' | 'mpich';

export interface MpiLaunch {
  /** Name of the launcher in errors. */
  readonly launcher: string;
  /** The library that understands the launcher; null: either may. */
  readonly family: MpiFamily | null;
  readonly rank: number;
  /** Ranks in all; null if the launcher does not say. */
  readonly size: number | null;
  /** Ranks on this host; null if the launcher does not say. */
  readonly localSize: number | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns null when no MPI launcher started this process */
export function launchFromEnvironment(env: Environment): MpiLaunch | null {
  if (env.OMPI_COMM_WORLD_RANK !== undefined && env.OMPI_COMM_WORLD_SIZE !== undefined) {
    return {
      launcher: "Open MPI's mpirun",
      family: 'openmpi',
      rank: count(env, 'OMPI_COMM_WORLD_RANK') ?? 0,
      size: count(env, 'OMPI_COMM_WORLD_SIZE'),
      localSize: count(env, 'OMPI_COMM_WORLD_LOCAL_SIZE'),
    };
  }
  if (env.PMI_RANK !== undefined && env.PMI_SIZE !== undefined && speaksPmi(env)) {
    return {
      launcher: env.SYNCBN_LAUNCHER ?? (env.SLURM_PROCID ? 'srun' : "MPICH's mpiexec"),
      family: 'mpich',
      rank: count(env, 'PMI_RANK') ?? 0,
      size: count(env, 'PMI_SIZE'),
      localSize: count(env, 'MPI_LOCALNRANKS'),
    };
  }
  if (env.PMIX_RANK !== undefined) {
    return {
      launcher: env.SLURM_PROCID === undefined ? 'a PMIx launcher' : 'srun',
      family: null,
      rank: count(env, 'PMIX_RANK') ?? 0,
      size: count(env, 'SLURM_STEP_NUM_TASKS') ?? count(env, 'SLURM_NTASKS'),
      localSize: null,
    };
  }
  refuseLoneTask(env);
  return null;
}

/** Refuses tasks of srun that cannot find one another: each would be a world of one. */
function refuseLoneTask(env: Environment): void {
  const tasks = count(env, 'SLURM_STEP_NUM_TASKS') ?? 1;
  if (tasks <= 1 || env.SLURM_PROCID === undefined) return;
  throw new Error(
    `init: srun started this process as task ${env.SLURM_PROCID} of ${tasks}, without PMI, so that ` +
      'each would be a world of one; start them with: srun --mpi=pmix (or --mpi=pmi2 for MPICH)',
  );
}

/** The channel to the launcher: a descriptor, or an address to connect to. */
function speaksPmi(env: Environment): boolean {
  return env.PMI_FD !== undefined || env.PMI_PORT !== undefined;
}

function count(env: Environment, name: string): number | null {
  const text = env[name];
  if (text === undefined) return null;
  if (!/^\d+$/.test(text)) {
    throw new RangeError(`init: ${name} must be a whole number, got '${text}'`);
  }
  return Number(text);
}
