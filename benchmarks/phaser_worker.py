"""Runs phaserEM 0.3.1 in its own interpreter: one JSON line in (a job), one JSON line out (seconds, or why not).

Started by against_others.py. Its gradient engine on jax: Adam with the rates of configs/multislice_wse2.yaml, amplitude
noise model, L1 of the phase, the constraints that it has. Everything that phaser prints goes to stderr.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before jax is imported

# What phaser cannot be asked for, or does in another way.
DIFFERENCES = (
    "positions are updated once per iteration, not per batch",
    "no orthogonalisation of probe modes and no fixed probe intensity",
    "amplitude loss summed over pixels, not normalised by the mean amplitude; objects are complex, of one Adam state",
    "blur of the object with kernels of other lengths, along depth of its logarithm; no recentring of positions",
)


def plan(job: dict) -> dict:
    """A phaser plan for the WSe2 set."""
    wavelength, pixel, window = 0.041757, 0.1494, 128  # angstrom, angstrom, px
    return {
        "name": "wse2",
        "backend": "jax",
        "dtype": "float32",
        "raw_data": {
            "type": "manual",
            "path": job["data"],
            "key": "dp",
            "kv": 80.0,
            "diff_step": 1e3 * wavelength / (window * pixel),
        },
        "init": {
            "probe": {"type": "focused", "conv_angle": 24.9, "defocus": 0.0},
            "scan": {"type": "raster", "shape": [job["scan"], job["scan"]], "step_size": 0.429},
            "object": {"type": "random"},
        },
        "slices": {"n": job["slices"], "slice_thickness": 2.0},
        "engines": [
            {
                "type": "gradient",
                "probe_modes": job["modes"],
                "base_mode_power": 1 - 0.02 * (job["modes"] - 1),
                "niter": job["iterations"],
                "grouping": job["batch"],
                "buffer_n_groups": None,
                "update_positions": True,
                "calc_error": False,
                "bwlim_frac": None,
                "noise_model": {"type": "amplitude"},
                "solvers": {
                    "object": {"type": "adam", "learning_rate": 5e-4},
                    "probe": {"type": "adam", "learning_rate": 1e-4},
                    "positions": {"type": "adam", "learning_rate": 5e-4},
                },
                "regularizers": [{"type": "obj_phase_l1", "cost": 0.1}],
                "group_constraints": [],
                "iter_constraints": [
                    {"type": "obj_gaussian", "sigma": 0.4 * pixel, "weight": 1.0},
                    {"type": "layers", "sigma": 2.0, "weight": 1.0},
                    {"type": "clamp_object_amplitude", "amplitude": [0.98, 1.02]},
                    {"type": "nonneg_object_phase"},
                ],
            }
        ],
    }


def run(job: dict) -> dict:
    """Seconds of a job's iterations."""
    import jax
    from phaser.execute import execute_plan
    from phaser.observer import Observer
    from phaser.plan import ReconsPlan

    class Clock(Observer):
        """When each iteration ended."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def start_engine(self, init_state: object) -> None:
            self.ends.append(time.perf_counter())

        def update_iteration(self, state: object, i: int, n: int, errors: dict) -> None:
            jax.block_until_ready(state.object.data)
            self.ends.append(time.perf_counter())

    clock = Clock()
    execute_plan(ReconsPlan.from_data(plan(job)), seed=job["seed"], override_observers=clock)
    seconds = [later - earlier for earlier, later in zip(clock.ends, clock.ends[1:], strict=False)]
    return {"seconds": seconds, "versions": {"jax": jax.__version__}, "differences": DIFFERENCES}


if __name__ == "__main__":
    from ptyrad_worker import answer_jobs

    answer_jobs(run)
