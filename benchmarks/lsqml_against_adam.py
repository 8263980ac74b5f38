"""Loss and agreement with the truth after every iteration, lsqml against adam, on the twisted bilayer WSe2.

    python benchmarks/lsqml_against_adam.py [--iterations 6] [--runs adam lsqml ...] [--out FILE.json]

Everything but the optimizer is as configs/multislice_wse2.yaml has it: data, six slices, four probe modes, constraints,
random batches of 16 where nothing else is said. lsqml has no sparsity term (it could not move the object); the loss
compared is the gaussian term alone. Positions are refined by Adam in all runs. About eight minutes on one thread; the
first iteration of all counts the compilation in.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from ptycupy import data, experiment
from ptycupy.analysis.result import score_result
from ptycupy.bench.machine import describe_machine
from ptycupy.config import load_config
from ptycupy.config.procedure import Truth
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.engine import Engine

CONFIG = Path(__file__).parents[1] / "configs" / "multislice_wse2.yaml"
LSQML = ("optimizer.name=lsqml", "losses.sparsity=null")
RUNS = {
    "adam": (),
    "adam, tuned": ("optimizer.object_amplitude=1e-3", "optimizer.object_phase=2e-3"),
    "lsqml": LSQML,
    "lsqml, half steps": (*LSQML, "optimizer.options={beta_object: 0.5, beta_probe: 0.5}"),
    "lsqml, compact batches of 64, momentum 0.5": (
        *LSQML,
        "optimizer.options={momentum: 0.5}",
        "reconstruction.grouping=compact",
        "reconstruction.batch_size=64",
    ),
}


class Record(Quiet):
    """What is known after each iteration."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.rows: list[dict[str, float]] = []
        self.begun = time.process_time()

    def on_iteration(self, engine: Engine) -> None:
        spent = time.process_time() - self.begun
        found = score_result(engine.snapshot(), self.truth)
        self.rows.append(
            {
                "loss": engine.history.losses["gaussian"][-1],
                "correlation": found.correlation,
                "ssim": found.ssim,
                "cpu_seconds": spent,  # of this process, whatever else the machine does
            }
        )
        print(", ".join(f"{key} {value:.4f}" for key, value in self.rows[-1].items()), flush=True)
        self.begun = time.process_time()


def run(overrides: tuple[str, ...], iterations: int) -> list[dict[str, float]]:
    settled: Any = load_config(CONFIG, overrides)
    problem, state = experiment.build(settled, data.open_source(settled.data))
    engine = Engine(problem, state, settings_from(settled), "cpu")
    record = Record(settled.truth)
    engine.run(iterations, [record])
    return record.rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--runs", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    runs = {}
    for name in arguments.runs:
        print(name, flush=True)
        runs[name] = run(RUNS[name], arguments.iterations)
    if arguments.out:
        record = {
            "command": f"python benchmarks/lsqml_against_adam.py --iterations {arguments.iterations}",
            "overrides": {name: list(RUNS[name]) for name in runs},
            **describe_machine("cpu"),
            "numba_threads": os.environ.get("NUMBA_NUM_THREADS", "all"),
            "seconds": round(time.perf_counter() - begun, 1),
            "runs": runs,
        }
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
