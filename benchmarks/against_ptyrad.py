"""ptycupy and PtyRAD 1.0.0 on the same data, same machine, in turns: seconds per iteration, median and ratio.

    python benchmarks/against_ptyrad.py --ptyrad-python /path/to/env/bin/python [--rounds 3] [--out FILE.json]

PtyRAD runs in an interpreter of its own (Python 3.12 with ptyrad==1.0.0). Each round runs a few iterations of one
program and then of the other; an iteration is every pattern once with constraints, without loading and saving.
The first iteration of each turn (compilation, caches) is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ptycupy
from ptycupy.reconstruction.resume import versions

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "configs" / "data" / "abtem_wse2.h5"


def own_turn(job: dict[str, Any]) -> dict[str, Any]:
    """The same iterations with ptycupy on the CPU backend."""
    from ptycupy.config import from_dict
    from ptycupy.data import open_source
    from ptycupy.experiment import build
    from ptycupy.reconstruction.configured import settings_from

    config = from_dict(
        {
            "data": {"path": job["data"], "key": "dp", "scan_shape": [24, 24]},
            "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9, "modes": job["modes"]},
            "calibration": {"mode": "pixel_size_angstrom", "value": 0.1494},
            "scan": {"step_angstrom": 0.429},
            "object": {"slices": job["slices"], "slice_thickness_angstrom": 2.0},
            "constraints": [
                {"name": "orthogonal_probe"},
                {"name": "fixed_probe_intensity"},
                {"name": "lateral_blur", "std": 0.4},
                {"name": "depth_blur", "std": 1.0},
                {"name": "amplitude_threshold", "thresh": [0.98, 1.02]},
                {"name": "positive_phase"},
                {"name": "position_recentring"},
            ],
            "reconstruction": {"batch_size": job["batch"]},
        }
    )
    problem, state = build(config, open_source(config.data))
    engine = ptycupy.Engine(problem, state, settings_from(config), backend="cpu")
    engine.run(job["iterations"])
    return {"seconds": engine.history.seconds, "loss": engine.history.total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptyrad-python", default=os.environ.get("PTYCUPY_PTYRAD_PYTHON"), help="its interpreter")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=3, help="per turn, the first one is not counted")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--modes", type=int, default=4)
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "against_ptyrad_cpu.json")
    given = parser.parse_args()
    if not given.ptyrad_python:
        parser.error("--ptyrad-python (or PTYCUPY_PTYRAD_PYTHON) must name an interpreter that has ptyrad==1.0.0")
    job = {
        "data": str(DATA),
        "modes": given.modes,
        "slices": given.slices,
        "batch": given.batch,
        "iterations": given.iterations,
        "threads": os.cpu_count(),
    }
    other = subprocess.Popen(
        [given.ptyrad_python, str(HERE / "ptyrad_worker.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if other.stdin is None or other.stdout is None:
        raise AssertionError("pipes were asked for")
    turns: dict[str, list[dict[str, Any]]] = {"ptycupy": [], "ptyrad": []}
    for number in range(given.rounds):
        turns["ptycupy"].append(own_turn(job))
        other.stdin.write(json.dumps(job) + "\n")
        other.stdin.flush()
        answer = other.stdout.readline()
        if not answer:
            sys.exit("PtyRAD stopped without an answer: run ptyrad_worker.py by hand to see why")
        turns["ptyrad"].append(json.loads(answer))
        told = {name: [round(s, 2) for s in runs[-1]["seconds"]] for name, runs in turns.items()}
        print(f"round {number + 1}: {told}", flush=True)
    other.stdin.close()
    other.wait()
    medians = {name: statistics.median(s for run in runs for s in run["seconds"][1:]) for name, runs in turns.items()}
    ratio = medians["ptyrad"] / medians["ptycupy"]
    print(f"median s/iteration: ptycupy {medians['ptycupy']:.2f}, PtyRAD {medians['ptyrad']:.2f}, ratio {ratio:.2f}")
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {**versions(), "ptyrad": "1.0.0", "torch": turns["ptyrad"][0]["torch"]},
        "job": {**job, "data": DATA.name},
        "turns": turns,
        "median_seconds_per_iteration": medians,
        "ratio": ratio,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines()] if info.exists() else []
    lines = [n for n, line in zip(names, info.read_text().splitlines(), strict=True) if line.startswith("model name")]
    return lines[0] if lines else platform.processor()


if __name__ == "__main__":
    main()
