"""ptycupy, phaserEM 0.3.1 and py4DSTEM on the same data, on the CPU, in turns: seconds per iteration and ratios.

    python benchmarks/against_others.py [--phaser-python /env1/bin/python] [--py4dstem-python /env2/bin/python]
        [--rounds 3] [--iterations 3] [--batch 16] [--modes 4] [--slices 6] [--out FILE.json]

Each program runs in an interpreter of its own (Python 3.12 with phaserEM[jax]==0.3.1, with py4DSTEM). An iteration is
every pattern of the WSe2 set once with constraints; the first one of each turn is not counted. Settings are as equal
as each program allows; the record lists what differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import sys
from pathlib import Path
from typing import Any

from against_ptyrad import Worker, own_turn

from ptycupy.bench.machine import describe_machine
from ptycupy.bench.quality import DATA, SCAN_SHAPE

HERE = Path(__file__).resolve().parent
OTHERS = ("phaser", "py4dstem")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in OTHERS:
        parser.add_argument(
            f"--{name}-python", help="its interpreter", default=os.environ.get(f"PTYCUPY_{name}_PYTHON")
        )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=3, help="per turn, the first one is not counted")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--modes", type=int, default=4)
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "against_others_cpu.json")
    given = parser.parse_args()
    pythons = {name: getattr(given, f"{name}_python") for name in OTHERS if getattr(given, f"{name}_python")}
    if not pythons:
        parser.error("give at least one of --phaser-python and --py4dstem-python")
    job = job_of(given.batch, given.modes, given.slices, given.iterations)
    workers = {name: Worker(python, f"{name}_worker.py") for name, python in pythons.items()}
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ptycupy", *workers)}
    for number in range(given.rounds):
        turns["ptycupy"].append(own_turn(job))
        for name, worker in workers.items():
            turns[name].append(worker.ask(job))
        told = {n: runs[-1].get("failed") or [round(s, 2) for s in runs[-1]["seconds"]] for n, runs in turns.items()}
        print(f"round {number + 1}: {told}", flush=True)
    for worker in workers.values():
        worker.close()
    medians = {name: median(runs) for name, runs in turns.items()}
    own, command = medians["ptycupy"], shlex.join(["python", "benchmarks/against_others.py", *sys.argv[1:]])
    for name, python in pythons.items():
        command = command.replace(python, f"{name.upper()}_PYTHON")
    result = {
        **describe_machine("cpu"),
        "command": command,
        "job": {**job, "data": DATA.name},
        "median_seconds_per_iteration": medians,
        "ratio": {name: medians[name] / own if own and medians[name] else None for name in workers},
        "failed": {name: runs[-1]["failed"] for name, runs in turns.items() if "failed" in runs[-1]},
        "differences": {name: turns[name][-1].get("differences") for name in workers},
        "programs": {name: turns[name][-1].get("versions") for name in workers},
        "turns": turns,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in ("median_seconds_per_iteration", "ratio", "failed")}, indent=1))


def job_of(batch: int, modes: int, slices: int, iterations: int) -> dict[str, Any]:
    """What every program is asked, as the workers' JSON."""
    return {
        "data": str(DATA), "scan": SCAN_SHAPE[0], "device": "cpu", "graphs": "auto", "fft": "auto",
        "modes": modes, "slices": slices, "batch": batch, "iterations": iterations, "jitter_px": None, "seed": 0,
    }  # fmt: skip


def median(turns: list[dict[str, Any]]) -> float | None:
    """Of all iterations but the first of each turn; None where there are none."""
    seconds = [s for turn in turns for s in turn.get("seconds", [])[1:]]
    return statistics.median(seconds) if seconds else None


if __name__ == "__main__":
    main()
