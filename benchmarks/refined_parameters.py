"""What each parameter that is refined adds to an iteration of the WSe2 set on the CPU, in turns.

    python benchmarks/refined_parameters.py [--rounds 5] [--only tilts ...] [--out FILE.json]

Everything else is as configs/multislice_wse2.yaml has it, which refines object, probe and positions. All of them run in
one process, an iteration each per round; the first round (compilation) is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from ptycupy import data, experiment
from ptycupy.bench.machine import describe_machine
from ptycupy.config import load_config
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.engine import Engine

CONFIG = Path(__file__).parents[1] / "configs" / "multislice_wse2.yaml"
ALONE = "object, probe, positions"
MORE = {
    ALONE: (),
    "tilts": ("optimizer.tilts=1e-3",),
    "slice_thickness": ("optimizer.slice_thickness=1e-3",),
    "tilts and slice_thickness": ("optimizer.tilts=1e-3", "optimizer.slice_thickness=1e-3"),
    "aberrations": ("illumination.refined_aberrations=[C10, C12a, C12b]", "optimizer.aberrations=1e-2"),
    "scan_affine": ("optimizer.scan_affine=1e-4",),
    "pattern_intensity": ("optimizer.pattern_intensity=1e-4",),
    "background": ("optimizer.background=1e-4",),
    "descan": ("optimizer.descan=1e-3",),
    "two probe variations": (
        "illumination.variations=2",
        "optimizer.probe_variations=1e-4",
        "optimizer.variation_weights=1e-3",
    ),
}


def engine_of(overrides: tuple[str, ...]) -> Engine:
    settled: Any = load_config(CONFIG, overrides)
    problem, state = experiment.build(settled, data.open_source(settled.data))
    return Engine(problem, state, settings_from(settled), "cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(MORE)[1:], default=list(MORE)[1:])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "refined_parameters_cpu.json")
    given = parser.parse_args()
    engines = {name: engine_of(MORE[name]) for name in (ALONE, *given.only)}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(given.rounds + 1):
        for name, engine in engines.items():
            engine.run(1)
            seconds[name] += engine.history.seconds[-1:] if number else []
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    result = {
        **describe_machine("cpu"),
        "command": f"python benchmarks/refined_parameters.py --rounds {given.rounds}",
        "overrides": {name: MORE[name] for name in engines},
        "seconds": seconds,
        "median": medians,
        "times_the_first": {name: median / medians[ALONE] for name, median in medians.items()},
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: result[key] for key in ("median", "times_the_first")}, indent=1))


if __name__ == "__main__":
    main()
