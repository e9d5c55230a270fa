#!/bin/bash
# A training under Slurm: two hosts, four ranks on each. Submit it with: sbatch slurm.sh
#
# NOT TRIED on a cluster by this project: there was none. The script was checked with `bash -n`.
# The variables that init() reads after srun are tested with made-up values.

#SBATCH --job-name=syncbn
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --output=train_%j_%t.log

set -euo pipefail

# Open MPI 4 and 5 meet through PMIx. For MPICH and its family: --mpi=pmi2.
# A rank that fails ends the job: --kill-on-bad-exit.
srun --mpi=pmix --kill-on-bad-exit=1 node train.js --epochs 10
