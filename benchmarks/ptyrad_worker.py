"""Runs PtyRAD 1.0.0 in its own interpreter: one JSON line in (a job), one JSON line out (seconds and loss, or why not).

Started by against_ptyrad.py. Everything that PtyRAD prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def parameters(job: dict, folder: str) -> dict:
    """PtyRAD parameters for the WSe2 set with the settings of configs/multislice_wse2.yaml."""

    def always(**more):
        return {"start_iter": 1, "step": 1, "end_iter": None, **more}

    return {
        "init_params": {
            "probe_illum_type": "electron",
            "probe_kv": 80.0,
            "probe_conv_angle": 24.9,
            "probe_aberrations": {},
            "meas_Npix": 128,
            "pos_N_scan_slow": job["scan"],
            "pos_N_scan_fast": job["scan"],
            "pos_scan_step_size": 0.429,
            "meas_calibration": {"mode": "dx", "value": 0.1494},
            "probe_pmode_max": job["modes"],
            "probe_pmode_init_pows": [0.02],
            "obj_omode_max": 1,
            "obj_Nlayer": job["slices"],
            "obj_slice_thickness": 2.0,
            "pos_scan_rand_std": job["jitter_px"],
            "meas_source": "file",
            "meas_params": {"path": job["data"], "key": "dp"},
            "random_seed": job["seed"],
        },
        "model_params": {
            "update_params": {
                "obja": {"start_iter": 1, "lr": 5e-4},
                "objp": {"start_iter": 1, "lr": 5e-4},
                "probe": {"start_iter": 1, "lr": 1e-4},
                "probe_pos_shifts": {"start_iter": 1, "lr": 5e-4},
                "obj_tilts": {"start_iter": None, "lr": 0.0},
                "slice_thickness": {"start_iter": None, "lr": 0.0},
            }
        },
        "loss_params": {
            "loss_single": {"state": True, "weight": 1.0, "dp_pow": 0.5},
            "loss_sparse": {"state": True, "weight": 0.1, "ln_order": 1},
        },
        "constraint_params": {
            "ortho_pmode": always(),
            "fix_probe_int": always(),
            "obj_rblur": always(obj_type="both", kernel_size=5, std=0.4),
            "obj_zblur": always(obj_type="both", kernel_size=5, std=1.0),
            "obja_thresh": always(relax=0, thresh=[0.98, 1.02]),
            "objp_postiv": always(relax=0),
            "pos_recenter": always(relax=0),
        },
        "recon_params": {
            "NITER": job["iterations"],
            "BATCH_SIZE": {"size": job["batch"], "grad_accumulation": 1},
            "GROUP_MODE": "random",
            "SAVE_ITERS": None,
            "output_dir": folder,
            "selected_figs": [],
            "convergence_monitor": None,
            "compiler_configs": {"enable": job["compiled"]},
        },
    }


def run(job: dict) -> dict:
    """Seconds and losses of a job's iterations; job["object"], if any, gets phase and corners."""
    import numpy as np
    import torch
    from ptyrad.params import PtyRADParams
    from ptyrad.solver import PtyRADSolver

    torch.set_num_threads(job["threads"])
    torch._dynamo.reset()  # every job compiles for itself
    with tempfile.TemporaryDirectory() as folder:
        given = PtyRADParams(**parameters(job, folder)).model_dump()
        solver = PtyRADSolver(given, device=job["device"], seed=job["seed"])
        start = time.perf_counter()
        solver.run()
        whole = time.perf_counter() - start
    model = solver.reconstruct_results
    if job["object"]:
        phase = model.opt_objp.detach().cpu().numpy()[0].sum(axis=0)
        np.savez(job["object"], phase=phase, corners=model.crop_pos.cpu().numpy())
    return {
        "seconds": [float(t) for t in model.iter_times],
        "loss": [float(pair[1]) for pair in model.loss_iters],
        "whole": whole,
        "torch": torch.__version__,
        "peak_device_mib": torch.cuda.max_memory_reserved() / 2**20 if job["device"] == "cuda" else None,
    }


def peak_mib() -> float | None:
    """The most memory that this process ever had; None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def answer_jobs(run: Callable[[dict], dict]) -> None:
    """Answers every line of stdin by what `run` makes of it."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the program prints must not mix with the answers
    for line in sys.stdin:
        try:
            answer = {**run(json.loads(line)), "peak_mib": peak_mib()}
        except Exception as error:  # it is told to whoever asked; a compiler that is missing raises anything
            text = str(error).strip()
            answer = {"failed": f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"}
        print(json.dumps(answer), file=answers)
        answers.flush()


if __name__ == "__main__":
    answer_jobs(run)
