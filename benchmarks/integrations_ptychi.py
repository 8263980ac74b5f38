"""pty-chi 2.2.0 with its own forward model and with ptycupy's, on the CPU, in turns: seconds per epoch and losses.

    python benchmarks/integrations_ptychi.py --ptychi-python /env/bin/python [--rounds 2] [--epochs 3] [--out FILE]

The interpreter needs ptychi==2.2.0 and ptycupy's dependencies; ptycupy itself is taken from this checkout. Both models
reconstruct the WSe2 set of configs/data (4 probe modes, 6 slices) from the start, as tests/interop/run_ptychi.py sets
it up; the first epoch of each turn compiles and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ptycupy.bench.machine import describe_machine
from ptycupy.bench.quality import DATA

ROOT = Path(__file__).resolve().parents[1]
MODELS = {"ptychi": "theirs", "ptycupy": "ours"}


def turns_of(python: str, epochs: int) -> dict[str, dict[str, list[float]]]:
    """Seconds and losses of both models' epochs, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen.npz"
        script = ROOT / "tests" / "interop" / "run_ptychi.py"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [python, script, seen, str(epochs), DATA], check=True, env=environment, stdout=subprocess.DEVNULL
        )
        with np.load(seen) as found:
            return {
                name: {"seconds": found[f"{key}_seconds"].tolist(), "loss": found[f"{key}_losses"].tolist()}
                for name, key in MODELS.items()
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ptychi-python", required=True, help="its interpreter")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3, help="per turn, the first one is not counted")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "integrations_ptychi_cpu.json")
    given = parser.parse_args()
    turns: dict[str, list[dict[str, list[float]]]] = {name: [] for name in MODELS}
    for number in range(given.rounds):
        for name, turn in turns_of(given.ptychi_python, given.epochs).items():
            turns[name].append(turn)
            print(number + 1, name, turn, flush=True)
    medians = {name: statistics.median(s for t in runs for s in t["seconds"][1:]) for name, runs in turns.items()}
    pairs = [np.array([turn["loss"] for turn in runs]) for runs in turns.values()]
    command = shlex.join(["python", "benchmarks/integrations_ptychi.py", *sys.argv[1:]])
    result = {
        **describe_machine("cpu"),
        "command": command.replace(given.ptychi_python, "PTYCHI_PYTHON"),
        "job": {"data": DATA.name, "modes": 4, "slices": 6, "batch": 16, "epochs": given.epochs},
        "median_seconds_per_iteration": medians,
        "times_as_fast": medians["ptychi"] / medians["ptycupy"],
        "largest_relative_difference_of_a_loss": float(np.abs(pairs[1] / pairs[0] - 1).max()),
        "turns": turns,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    keys = ("median_seconds_per_iteration", "times_as_fast", "largest_relative_difference_of_a_loss")
    print(json.dumps({key: result[key] for key in keys}, indent=1))


if __name__ == "__main__":
    main()
