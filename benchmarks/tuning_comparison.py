"""The PtyRAD paper's comparison of samplers and pruning on a simulated low-dose set: total thickness and tilt y, x.

    python benchmarks/tuning_comparison.py [--seeds 5] [--trials 40] [--out FILE.json] [--figure FILE.png]

SrTiO3 along [001], 101.5 angstrom thick and tilted by (3, -2) mrad, at 1e4 electrons per square angstrom; trials of
20 iterations, ten slices whose total thickness is tuned. Every seed gives the same ten initial trials to TPE and to
random search, each with and without Hyperband. Contrast is what is minimised: -sigma/mu of the depth-summed phase.
One thread is what the record is made with: NUMBA_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from ptycupy.bench.machine import describe_machine
from ptycupy.config import read_dict
from ptycupy.outputs.canvas import new_figure, save_png
from ptycupy.simulate import simulate
from ptycupy.storage.scan import write_dataset
from ptycupy.tune import tune

THICKNESS, TILT = 101.5, (3.0, -2.0)  # angstrom, mrad (y, x): the truth
DOSE = 1e4  # electrons per square angstrom
ITERATIONS, INITIAL = 20, 10
HYPERBAND = {"name": "hyperband", "options": {"min_resource": 5, "reduction_factor": 2}}
RUNS: dict[str, dict[str, Any]] = {
    "tpe": {"sampler": {"name": "tpe", "startup_trials": INITIAL}},
    "tpe, hyperband": {"sampler": {"name": "tpe", "startup_trials": INITIAL}, "pruner": HYPERBAND},
    "random": {"sampler": {"name": "random", "startup_trials": INITIAL}},
    "random, hyperband": {"sampler": {"name": "random", "startup_trials": INITIAL}, "pruner": HYPERBAND},
}
SPACE = {
    "object.total_thickness_angstrom": {"low": 50.0, "high": 150.0},
    "object.tilt_mrad.0": {"low": -6.0, "high": 6.0},
    "object.tilt_mrad.1": {"low": -6.0, "high": 6.0},
}
EXPERIMENT: dict[str, Any] = {
    "illumination": {
        "voltage_kv": 300, "convergence_angle_mrad": 22.0, "aberrations": {"C10": -60.0}, "modes": 1,
    },
    "calibration": {"mode": "pixel_size_angstrom", "value": 0.2},
    "scan": {"step_angstrom": 0.6},
    "backend": "cpu",
}  # fmt: skip


def data_set(path: Path) -> None:
    """The simulated scan, which all runs share."""
    simulation = {
        "atoms": {"structure": "srtio3", "thickness_angstrom": THICKNESS},
        "scan_shape": [14, 14], "detector_shape": [48, 48], "potential_slice_angstrom": 1.952,
        "dose_per_square_angstrom": DOSE, "oversampling": 2,
    }  # fmt: skip
    made = {**EXPERIMENT, "simulation": simulation, "object": {"tilt_mrad": list(TILT)}}
    write_dataset(path, simulate(read_dict(made).config))


def study(path: Path, folder: Path, name: str, seed: int, trials: int) -> dict[str, Any]:
    """One study: the best contrast after every trial, against time."""
    config = read_dict(
        {
            **EXPERIMENT,
            "data": {"path": str(path), "key": "dp"},
            "object": {"slices": 10, "total_thickness_angstrom": 100.0},
            "optimizer": {"object_amplitude": 1e-3, "object_phase": 5e-3, "probe": 0, "shifts": 0},
            "reconstruction": {"iterations": ITERATIONS, "batch_size": 28},
            "output": {"folder": str(folder)},
            "tune": {
                "study": f"{name} {seed}",
                "trials": trials,
                "seed": seed,
                "required_gain": None,
                "space": SPACE,
                **RUNS[name],
            },
        }
    ).config
    begun = time.process_time()
    found = tune(config).study
    rows = [
        {
            "state": one.state.name.lower(),
            "contrast": round(one.values[0], 6) if one.state == optuna.trial.TrialState.COMPLETE else None,
            "iterations": one.user_attrs.get("iterations", 0),
            "seconds": one.user_attrs["seconds"],
            "values": {key: round(value, 4) for key, value in one.params.items()},
        }
        for one in found.get_trials(deepcopy=False)
    ]
    best = next(row for row, one in zip(rows, found.get_trials(deepcopy=False), strict=True) if one == found.best_trial)
    return {"seed": seed, "cpu_seconds": round(time.process_time() - begun, 1), "best": best["values"],
            "contrast": best["contrast"], "trials": rows}  # fmt: skip


def curve(run: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Processor seconds after every trial, and the best contrast by then. The study's seconds are shared out by
    iterations, so that what else the machine was doing does not count."""
    iterations = np.cumsum([row["iterations"] for row in run["trials"]])
    seconds = run["cpu_seconds"] * iterations / iterations[-1]
    seen = [np.inf if row["contrast"] is None else row["contrast"] for row in run["trials"]]
    return seconds.tolist(), np.minimum.accumulate(seen).tolist()


def draw(runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Best contrast against trials and against time: a thin line for each seed, a thick one for their median."""
    figure = new_figure(10.5, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    starts = []
    for number, (name, studies) in enumerate(runs.items()):
        look: dict[str, Any] = {"color": f"C{number // 2}", "ls": "-" if number % 2 == 0 else "--"}
        curves = [curve(one) for one in studies]
        for seconds, best in curves:
            right.step(seconds, best, where="post", lw=0.5, alpha=0.5, **look)
        counts = np.arange(1, len(curves[0][1]) + 1)
        median = np.median([best for _, best in curves], axis=0)
        left.step(counts, median, where="post", lw=2, label=name, **look)
        starts.append(median[0])
        times = np.linspace(0, max(seconds[-1] for seconds, _ in curves), 400)
        by_time = [
            [min([b for s, b in zip(*one, strict=True) if s <= t], default=np.inf) for t in times] for one in curves
        ]
        middle = np.median(by_time, axis=0)
        seen = np.isfinite(middle)
        right.plot(times[seen], middle[seen], lw=2, label=name, **look)
    left.set(xlabel="trials", ylabel="best contrast, -sigma/mu", title=f"median of {len(studies)} seeds")
    right.set(xlabel="processor seconds", title="each seed, and their median", ylim=(None, max(starts)))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    save_png(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in RUNS}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "scan.h5"
        data_set(path)
        for seed in range(arguments.seeds):
            for name in RUNS:
                run = study(path, Path(place), name, seed, arguments.trials)
                runs[name].append(run)
                pruned = sum(row["state"] == "pruned" for row in run["trials"])
                print(f"{name}, seed {seed}: contrast {run['contrast']:.4f}, {pruned} pruned, {run['cpu_seconds']} s, "
                      f"{run['best']}", flush=True)  # fmt: skip
    if arguments.figure:
        draw(runs, arguments.figure)
    if arguments.out:
        record = {
            "command": f"python benchmarks/tuning_comparison.py --seeds {arguments.seeds} --trials {arguments.trials}",
            "truth": {"total_thickness_angstrom": THICKNESS, "tilt_mrad": TILT, "electrons_per_square_angstrom": DOSE},
            **describe_machine("cpu"),
            "numba_threads": os.environ.get("NUMBA_NUM_THREADS", "all"),
            "seconds": round(time.perf_counter() - begun, 1),
            "runs": runs,
        }
        arguments.out.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
