#!/bin/bash
# Eight workers on one study, each with a GPU of its own:   sbatch configs/tune_slurm.sh
# They may start whenever the queue lets them, on any node that sees this folder. Slurm's SIGTERM before the time limit
# ends the batch under way and queues its trial again; more workers may be sent at any time.
#SBATCH --job-name=ptycupy-tune
#SBATCH --array=0-7
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
export NUMBA_NUM_THREADS=$SLURM_CPUS_PER_TASK
srun ptycupy tune configs/tune_wse2.yaml --backend cuda
