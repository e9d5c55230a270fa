#!/bin/bash
# A training under Slurm without its MPI plug-ins: Slurm starts one syncrun on each host, and these
# start the ranks over MPICH. Submit it with: sbatch slurm-syncrun.sh
#
# NOT TRIED on a cluster by this project: there was none. It was run with stand-ins for srun and
# scontrol, which started both syncruns on one host.

#SBATCH --job-name=syncbn
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=01:00:00

set -euo pipefail

first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
SYNCBN_SECRET=$(openssl rand -hex 16)
export SYNCBN_SECRET first

srun --mpi=none --kill-on-bad-exit=1 bash -c '
  exec npx syncrun --worker_num=$((4 * SLURM_JOB_NUM_NODES)) --local_worker_num=4 \
    --node_rank="$SLURM_NODEID" \
    --master_addr="$first" --master_port=8118 --join=True --log_dir=logs train.js --epochs 10
'
