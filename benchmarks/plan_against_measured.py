"""Seconds per iteration as `ptycupy plan` predicts them, against those of iterations in the same minute.

    python benchmarks/plan_against_measured.py [CONFIG[,KEY=VALUE...] ...] [--backend cpu] [--rounds 5] [--cpu-time]
        [--out FILE.json]

Ceilings and one iteration are measured in turns, after a first iteration that compiles; medians of the rounds count.
With --cpu-time the process's own time is taken instead of the clock's: on a machine that others use too, and with
NUMBA_NUM_THREADS=1, where it is the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from ptycupy import Engine, backends, data, experiment
from ptycupy.api import settle
from ptycupy.api.forecast import Forecast
from ptycupy.bench.machine import describe_machine
from ptycupy.planning import measure_ceilings, twin_of
from ptycupy.reconstruction.configured import settings_from

# The star with a probe that varies, whose waves take op after op: benchmarks/star_refinement.py
VARYING = (
    "configs/quickstart.yaml,illumination.variations=2,optimizer.probe_variations=5e-3,optimizer.variation_weights=5e-3"
)
CONFIGS = (
    "configs/quickstart.yaml",
    VARYING,
    "configs/multislice_wse2.yaml",
    "configs/multislice_wse2_tuned.yaml",
    "configs/multislice_sto_tilted.yaml",
)


def compared(named: str, device: str, rounds: int) -> dict[str, Any]:
    """Predicted and measured seconds per iteration of one configuration."""
    path, *overrides = named.split(",")
    config = settle(path, overrides, device)[0]
    settings = settings_from(config)
    problem, state = experiment.build(config, data.open_source(config.data))
    how = config.backend
    backend = backends.select(device, config.model.dtype, how.fft, how.deterministic, how.tape, how.graphs)
    engine = Engine(problem, state, settings, backend)
    forecast = Forecast(problem, state, settings, twin_of(backend))
    engine.run(1)
    predicted, measured, copies, transforms = [], [], [], []
    for _ in range(rounds):
        machine = measure_ceilings(backend, engine.parameters.window)
        predicted.append(forecast.seconds(machine, settings.batch_size, settings.batch_size))
        copies.append(machine.bytes_per_second / 1e9)
        transforms.append(machine.flops_per_second / 1e9)
        start = time.perf_counter()
        engine.run(1)
        measured.append(time.perf_counter() - start)
    ratio = statistics.median(p / m for p, m in zip(predicted, measured, strict=True))
    found = {
        "config": named,
        "predicted_seconds": statistics.median(predicted),
        "measured_seconds": statistics.median(measured),
        "predicted_over_measured": ratio,
        "copy_gb_per_s": statistics.median(copies),
        "fft_gflop_per_s": statistics.median(transforms),
        "batch": settings.batch_size,
    }
    print(json.dumps(found))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="*", default=CONFIGS)
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.cpu_time:
        time.perf_counter = time.process_time
    found = [compared(path, arguments.backend, arguments.rounds) for path in arguments.configs]
    report = {
        **describe_machine(arguments.backend),
        "threads": os.environ.get("NUMBA_NUM_THREADS", "all"),
        "clock": "process" if arguments.cpu_time else "wall",
        "configs": found,
    }
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
