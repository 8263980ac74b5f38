"""Run by an interpreter that has phaser and ptycupy's dependencies: a plan with `type: ptycupy`, and what phaser saw.

python run_phaser_engine.py state.h5 patterns.npy seen.npz [BACKEND_OF_PHASER COMPUTE_OF_OURS]
"""

import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import numpy as np
from phaser.execute import execute_plan
from phaser.observer import Observer
from phaser.plan import ReconsPlan

import ptycupy.integrations.phaser  # noqa: F401 - it registers the engine

state, patterns, seen = sys.argv[1:4]
backend, compute = sys.argv[4:] or ("numpy", "cpu")
plan = {
    "name": "engine",
    "backend": backend,
    "raw_data": {"type": "manual", "path": patterns, "wavelength": 0.0197, "diff_step": 1e3 * 0.0197 / (16 * 0.2),
                 "adu": 1.0},
    "init": {"state": state},
    "engines": [{
        "type": "ptycupy", "niter": 4, "grouping": 5, "probe_modes": 2, "bwlim_frac": None, "obj_pad_px": 1.0,
        "update_positions": {"after": 2}, "learning_rates": {"object_phase": 1e-3, "probe": 1e-4, "shifts": 1e-2},
        "constraints": [{"name": "positive_phase"}], "compute": compute,
    }],
}  # fmt: skip


class Seen(Observer):
    """What an observer of phaser is told."""

    def __init__(self):
        self.losses, self.moved, self.calls = [], [], []

    def init_engine(self, init_state, **told):
        self.calls.append(told["noise_model"])

    def start_engine(self, init_state):
        self.first = np.array(init_state.scan.data), np.array(init_state.probe.data)

    def update_iteration(self, state, i, n, errors):
        self.losses.append(errors["total_loss"])
        self.moved.append(np.abs(state.scan.data - self.first[0]).max())

    def finish_engine(self, state):
        self.calls.append("finish")
        self.last = state


watcher = Seen()
execute_plan(ReconsPlan.from_data(plan), seed=0, override_observers=watcher)
last = watcher.last
np.savez(
    seen, losses=watcher.losses, moved=watcher.moved, calls=watcher.calls, object=last.object.data,
    probe=last.probe.data, scan=last.scan.data, tilt=last.scan.tilt, shape=last.object.sampling.shape,
    progress=last.progress["total_loss"].values, iterations=last.iter.total_iter,
)  # fmt: skip
