"""Runs a plan of phaserEM 0.3.1 with its own gradient engine or with `type: ptycupy`: a job in, seconds out, as JSON.

Started by integrations_phaser.py, in an interpreter that has phaser and what ptycupy needs.
"""

from __future__ import annotations

import numpy as np
import phaser_worker

CONSTRAINTS = (
    {"name": "orthogonal_probe"},
    {"name": "fixed_probe_intensity"},
    {"name": "lateral_blur", "std": 0.4},
    {"name": "depth_blur", "std": 1.0},
    {"name": "amplitude_threshold", "relax": 0.0, "thresh": [0.98, 1.02]},
    {"name": "positive_phase", "mode": "clip_neg", "relax": 0.0},
)
SHARED = ("probe_modes", "base_mode_power", "niter", "grouping", "bwlim_frac", "update_positions")


def plan(job: dict) -> dict:
    """The plan of phaser_worker, with the engine that the job names."""
    found = phaser_worker.plan(job)
    if job["engine"] == "ptycupy":
        engine = found["engines"][0]
        found["engines"] = [
            {
                **{key: engine[key] for key in SHARED},
                "type": "ptycupy",
                "compute": job["compute"],
                "losses": {"gaussian": {"power": 0.5}, "sparsity": {"weight": 0.1, "order": 1}},
                "constraints": list(CONSTRAINTS),
            }
        ]
    return found


def run(job: dict) -> dict:
    """Seconds of a job's iterations, the constraints and the observers' copy of the state included, and the phase."""
    import time

    from phaser.execute import execute_plan
    from phaser.observer import Observer
    from phaser.plan import ReconsPlan

    import ptycupy.integrations.phaser  # noqa: F401 - it registers the engine

    class Clock(Observer):
        """When each iteration ended, and the object at the end."""

        def start_engine(self, init_state: object) -> None:
            self.ends = [time.perf_counter()]

        def update_iteration(self, state: object, i: int, n: int, errors: dict) -> None:
            np.asarray(state.object.data)  # waits for jax
            self.ends.append(time.perf_counter())

        def finish_engine(self, state: object) -> None:
            state.write_hdf5(job["result"])

    clock = Clock()
    execute_plan(ReconsPlan.from_data(plan(job)), seed=job["seed"], override_observers=clock)
    return {"seconds": [later - earlier for earlier, later in zip(clock.ends, clock.ends[1:], strict=False)]}


if __name__ == "__main__":
    from ptyrad_worker import answer_jobs

    answer_jobs(run)
