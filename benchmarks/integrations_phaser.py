"""phaserEM 0.3.1 with its own gradient engine (jax) and with `type: ptycupy`, in turns.

    python benchmarks/integrations_phaser.py --phaser-python /env/bin/python [--rounds 3] [--iterations 4]
        [--compute cpu] [--out FILE]

The interpreter (Python 3.12 or newer) needs phaserEM[jax]==0.3.1 and ptycupy's dependencies; ptycupy itself is taken
from this checkout. Both engines run in the same plan on the WSe2 set of configs/data; the first iteration of each turn
compiles and is not counted. What differs between them is what benchmarks/phaser_worker.py lists.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

from against_others import median
from against_ptyrad import Worker
from phaser_worker import DIFFERENCES

from ptycupy.bench.machine import describe_machine
from ptycupy.bench.quality import DATA, SCAN_SHAPE

HERE = Path(__file__).resolve().parent
ENGINES = ("gradient", "ptycupy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phaser-python", required=True, help="its interpreter")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=4, help="per turn, the first one is not counted")
    parser.add_argument("--compute", default="cpu", help="cpu or cuda, of ours; JAX_PLATFORMS says it to jax")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "integrations_phaser_cpu.json")
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(HERE.parent)
    job = {"data": str(DATA), "scan": SCAN_SHAPE[0], "modes": 4, "slices": 6, "batch": 16, "seed": 0}
    turns: dict[str, list[dict]] = {name: [] for name in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name in ENGINES if number % 2 == 0 else ENGINES[::-1]:
                worker = Worker(given.phaser_python, "integrations_phaser_worker.py")
                asked = {
                    **job,
                    "engine": name,
                    "compute": given.compute,
                    "iterations": given.iterations,
                    "result": f"{folder}/{name}.h5",
                }
                turns[name].append(worker.ask(asked))
                worker.close()
                print(number + 1, name, turns[name][-1], flush=True)
    medians = {name: median(runs) for name, runs in turns.items()}
    ratios = [
        statistics.median(a["seconds"][1:]) / statistics.median(b["seconds"][1:])
        for a, b in zip(turns["gradient"], turns["ptycupy"], strict=True)
        if "seconds" in a and "seconds" in b
    ]
    command = shlex.join(["python", "benchmarks/integrations_phaser.py", *sys.argv[1:]])
    result = {
        **describe_machine("cpu" if given.compute == "cpu" else "cuda:0"),
        "command": command.replace(given.phaser_python, "PHASER_PYTHON"),
        "job": {**job, "data": DATA.name},
        "median_seconds_per_iteration": medians,
        "ratio_in_turns": ratios,
        "differences": DIFFERENCES,
        "turns": turns,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in ("median_seconds_per_iteration", "ratio_in_turns")}, indent=1))


if __name__ == "__main__":
    main()
