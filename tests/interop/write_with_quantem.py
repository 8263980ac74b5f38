"""Run by an interpreter that has quantem: reconstructs from an exported start, and writes what it has found.

python write_with_quantem.py start.npz patterns.npy STEP_PX ROWS COLUMNS ITERATIONS there.npz seen.npz
"""

import sys

import numpy as np
from quantem_scene import parts, predicted, ptychography

start, measured, step, rows, columns, iterations, there, seen = sys.argv[1:]
found = ptychography(np.load(start), np.load(measured), (int(rows), int(columns)), float(step))
rates = {name: {"name": "adam", "lr": 1e-3} for name in ("object", "probe", "dataset")}
found.reconstruct(num_iters=int(iterations), optimizer_params=rates, device="cpu")
np.savez(there, **parts(found))
np.savez(seen, patterns=predicted(found), losses=found.iter_losses)
