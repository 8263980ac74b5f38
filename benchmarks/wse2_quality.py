"""How near the shipped configurations come to the truth of the twisted WSe2 set, and in what time.

    python benchmarks/wse2_quality.py [--seeds 0 1 2] [--output benchmarks/results/wse2_quality_cpu.json] [NAME ...]

Every configuration runs with every seed, in turns; scores are those that `ptycupy recon` prints, seconds are those of
the whole run with reading and writing. PtyRAD 1.0.0 reaches correlation 0.957 and SSIM 0.49 with the settings that
`ptyrad` and `ptyrad_wse2` have (20 iterations, median of three seeds).
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import tempfile
import time
from pathlib import Path

import ptycupy
from ptycupy.bench.machine import describe_machine

CONFIGS = Path(__file__).parents[1] / "configs"
DATA = CONFIGS / "data/abtem_wse2.h5"
RUNS = {
    "ptyrad": ("multislice_wse2.yaml", "scan.jitter_px=0.15"),
    "ptyrad_wse2": ("ptyrad_wse2.yaml", f"truth.path={DATA}", "truth.key=truth_phase"),
    "tuned": ("multislice_wse2_tuned.yaml",),
    "tuned, equal time": ("multislice_wse2_tuned.yaml", "reconstruction.iterations=12"),
    "stages": ("stages_wse2.yaml",),
}


def run(name: str, *changes: str) -> dict[str, float]:
    """Correlation, SSIM, last loss and seconds of one configuration."""
    file, *overrides = RUNS[name]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        result = ptycupy.reconstruct(
            CONFIGS / file, overrides=[f"output.folder={folder}", *overrides, *changes], backend="cpu", quiet=True
        )
        seconds = time.perf_counter() - begun
    return {**result.scores, "loss": result.history.total[-1], "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RUNS)}; all of them if none is given")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results/wse2_quality_cpu.json")
    arguments = parser.parse_args()
    names = arguments.names or list(RUNS)
    for name in names:  # kernels are compiled now
        run(name, "reconstruction.iterations=1")
    runs: dict[str, dict[int, dict[str, float]]] = {name: {} for name in names}
    for seed in arguments.seeds:
        for name in names:
            runs[name][seed] = run(name, f"reconstruction.seed={seed}")
            print(name, f"seed {seed}", runs[name][seed], flush=True)
    medians = {
        name: {key: statistics.median(found[key] for found in seeds.values()) for key in seeds[arguments.seeds[0]]}
        for name, seeds in runs.items()
    }
    record = {
        "command": shlex.join(["python", "benchmarks/wse2_quality.py", *names, "--seeds", *map(str, arguments.seeds)]),
        "configurations": {name: RUNS[name][0] for name in names},
        **describe_machine("cpu"),
        "medians": medians,
        "runs": runs,
    }
    arguments.output.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(medians, indent=1))


if __name__ == "__main__":
    main()
