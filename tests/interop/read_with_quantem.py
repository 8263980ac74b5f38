"""Run by an interpreter that has quantem: makes its models of an exported file, and simulates its patterns.

python read_with_quantem.py there.npz patterns.npy STEP_PX ROWS COLUMNS seen.npz
"""

import sys

import numpy as np
from quantem_scene import parts, predicted, ptychography

there, measured, step, rows, columns, seen = sys.argv[1:]
found = ptychography(np.load(there), np.load(measured), (int(rows), int(columns)), float(step))
np.savez(seen, patterns=predicted(found), **parts(found))
