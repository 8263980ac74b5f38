"""PtyRAD 1.0.0 by itself and patched with ptycupy, in turns in one process: seconds per iteration, ratios and losses.

    python benchmarks/integrations.py [--rounds 2] [--iterations 3] [--out FILE.json]

Run by an interpreter that has PtyRAD 1.0.0 and ptycupy. The set, the settings and what an iteration is are those of
against_ptyrad.py, with PtyRAD as it comes (eager, no position jitter). In each turn PtyRAD reconstructs from the start,
once at each level of `ptycupy.integrations.ptyrad.patch`, 0 being none; the first iteration of a turn is not counted.
Losses are compared iteration by iteration without orthogonalisation of the modes (`loss`), where only rounding may
differ, which Adam turns into small steps.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from ptyrad.params import PtyRADParams
from ptyrad.solver import PtyRADSolver
from ptyrad_worker import parameters

from ptycupy.bench.machine import describe_machine
from ptycupy.bench.quality import DATA, SCAN_SHAPE
from ptycupy.integrations.ptyrad import patch

LEVELS = (0, 1, 2, 3)
HERE = Path(__file__).resolve().parent


def turn(level: int, job: dict[str, Any], orthogonal: bool = True) -> dict[str, list[float]]:
    """Seconds and losses of PtyRAD's iterations at this level."""
    with tempfile.TemporaryDirectory() as folder, patch(level) if level else contextlib.nullcontext():
        given = parameters(job, folder)
        if not orthogonal:
            given["constraint_params"]["ortho_pmode"] = {"start_iter": None}
        solver = PtyRADSolver(PtyRADParams(**given).model_dump(), device=job["device"], seed=0)
        solver.run()
    model = solver.reconstruct_results
    return {"seconds": [float(t) for t in model.iter_times], "loss": [float(pair[1]) for pair in model.loss_iters]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=3, help="per turn, the first one is not counted")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/integrations_DEVICE.json")
    given = parser.parse_args()
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    job = {
        "data": str(DATA),
        "scan": SCAN_SHAPE[0],
        "device": given.device,
        "modes": 4,
        "slices": 6,
        "batch": 16,
        "iterations": given.iterations,
        "threads": threads,
        "jitter_px": None,
        "seed": 0,
        "compiled": False,
    }
    turns: dict[int, list[dict[str, list[float]]]] = {level: [] for level in LEVELS}
    for number in range(given.rounds):
        for level in LEVELS:
            turns[level].append(turn(level, job))
        print(f"round {number + 1}: { {level: runs[-1]['seconds'] for level, runs in turns.items()} }", flush=True)
    plain = {level: turn(level, job, orthogonal=False)["loss"] for level in LEVELS}
    medians = {level: statistics.median(s for run in runs for s in run["seconds"][1:]) for level, runs in turns.items()}
    device = "cpu" if given.device == "cpu" else "cuda:0"
    result = {
        **describe_machine(device),
        "command": shlex.join(["python", "benchmarks/integrations.py", *sys.argv[1:]]),
        "ptyrad": {"version": "1.0.0", "torch": torch.__version__},
        "job": {**job, "data": DATA.name},
        "median_seconds_per_iteration": medians,
        "times_as_fast": {level: medians[0] / seconds for level, seconds in medians.items()},
        "loss": plain,
        "largest_relative_difference_of_a_loss": {level: apart(losses, plain[0]) for level, losses in plain.items()},
        "with_orthogonalisation": {level: apart(runs[0]["loss"], turns[0][0]["loss"]) for level, runs in turns.items()},
        "turns": turns,
    }
    out = given.out or HERE / "results" / f"integrations_{given.device}.json"
    out.write_text(json.dumps(result, indent=1) + "\n")
    shown = ("median_seconds_per_iteration", "times_as_fast", "largest_relative_difference_of_a_loss")
    print(json.dumps({name: result[name] for name in (*shown, "with_orthogonalisation")}, indent=1))


def apart(losses: list[float], expected: list[float]) -> float:
    """The largest relative difference."""
    return max(abs(x / y - 1) for x, y in zip(losses, expected, strict=True))


if __name__ == "__main__":
    main()
