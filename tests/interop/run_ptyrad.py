"""Run by an interpreter that has PtyRAD: a whole reconstruction on the CPU.

python run_ptyrad.py params.yaml
"""

import sys

import matplotlib as mpl

mpl.use("Agg")
from ptyrad.params import load_params
from ptyrad.solver import PtyRADSolver

PtyRADSolver(load_params(sys.argv[1], validate=True), device="cpu", seed=0).run()
