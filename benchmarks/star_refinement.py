"""What refining positions and a varying probe is worth on the measured Siemens star (configs/quickstart.yaml).

    python benchmarks/star_refinement.py [CASE ...]

Halves: Fourier ring correlation of two reconstructions, of even and of odd positions. Perturbed: positions moved by
3 px rms (on each axis, or both together), refined, and compared, modulo one affine map of all, with refined positions
that were not moved.
Each case is merged into benchmarks/results/star_refinement_cpu.json with its settings.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import ptycupy
from ptycupy import Constraint, Engine, data
from ptycupy.analysis import fourier_ring_correlation
from ptycupy.config import load_config
from ptycupy.experiment import build
from ptycupy.reconstruction.configured import settings_from

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs/quickstart.yaml"
RESULTS = ROOT / "benchmarks/results/star_refinement_cpu.json"
PERTURBED = {"perturbed": 3.0, "perturbed, both axes together": 3.0 / math.sqrt(2)}  # rms px on each axis

VARIATION_RATES = ("optimizer.probe_variations=5e-3", "optimizer.variation_weights=5e-3")
SEEDS = (0, 1, 2)
HALVES = {
    "no refinement": ("optimizer.shifts=0.0",),
    "positions": ("optimizer.shifts=2e-2",),
    "2 variations": ("optimizer.shifts=0.0", "illumination.variations=2", *VARIATION_RATES),
    "positions, 2 variations": ("optimizer.shifts=2e-2", "illumination.variations=2", *VARIATION_RATES),
}
POSITIONS = (
    "optimizer.shifts=2e-1",
    "optimizer.schedule={name: cosine, total: 80, least: 0.02}",
    "reconstruction.iterations=80",
)
# A blurred object at first: its slopes reach as far as positions are off, those of sharp spokes only to the next one.
BLUR = Constraint("lateral_blur", std=1.0, end=30)


def over_seeds(changes):
    """`halves` for every seed, and the mean of each number over them."""
    runs = [halves((*changes, f"reconstruction.seed={seed}")) for seed in SEEDS]
    return {
        "mean": {name: float(np.mean([run[name] for run in runs])) for name in runs[0]},
        "seeds": dict(zip(SEEDS, runs, strict=True)),
        "settings": changes,
    }


def halves(changes):
    """Where the correlation of the two halves falls to 0.5, as a fraction of Nyquist, and both last losses."""
    images, losses = [], []
    for half in ("even", "odd"):
        with tempfile.TemporaryDirectory() as folder:
            overrides = [f"output.folder={folder}", f"reconstruction.half={half}", *changes]
            result = ptycupy.reconstruct(CONFIG, overrides=overrides, backend="cpu", quiet=True)
        rows, columns = result.snapshot.field_of_view()
        images.append(result.state.object_phase[0, 0, rows, columns])
        losses.append(result.history.total[-1])
    shape = np.min([image.shape for image in images], axis=0)
    first, second = (image[: shape[0], : shape[1]] for image in images)
    found = fourier_ring_correlation(first, second, register=True)
    return {
        "frc_0.5_of_nyquist": found.crossing(0.5),
        "frc_half_bit_of_nyquist": found.crossing("half_bit"),
        "mean_correlation": float(found.correlation.mean()),
        "last_losses": losses,
    }


def refined_positions(jitter):
    """Positions before and after [N, 2] px, and the last loss."""
    config = load_config(CONFIG, [*POSITIONS, f"scan.jitter_px={jitter}"])
    problem, state = build(config, data.open_source(config.data))
    last = config.reconstruction.iterations
    settings = settings_from(config)
    settings = replace(settings, constraints=(*settings.constraints, BLUR))
    engine = Engine(problem, state, settings, "cpu")
    before = engine.initial_positions
    engine.run(last)
    return before, engine.problem.corners + engine.state.shifts, engine.history.total[-1]


def apart(first, second):
    """rms distance per axis in px of two sets of positions, after the best affine map of the first onto the second."""
    extended = np.column_stack([first, np.ones(len(first))])
    solution = np.linalg.lstsq(extended, second, rcond=None)[0]
    distance = second - extended @ solution
    return {
        "rms_px_per_axis": float(np.sqrt((distance**2).mean())),
        "rms_px": float(np.sqrt((distance**2).sum(axis=1).mean())),
        "median_px": float(np.median(np.hypot(*distance.T))),
        "share_over_1_px": float((np.hypot(*distance.T) > 1).mean()),
    }


def perturbed(rms_px):
    start, straight, straight_loss = refined_positions(0.0)
    moved, found, found_loss = refined_positions(rms_px)
    return {
        "before": apart(moved, straight),
        "after": apart(found, straight),
        "measured_positions_against_refined": apart(start, straight),
        "last_losses": [straight_loss, found_loss],
        "settings": [
            *POSITIONS,
            f"lateral blur of {BLUR.parameters['std']} px until iteration {BLUR.active.end}",
            f"scan.jitter_px={rms_px}",
        ],
    }


def main(names):
    for name in names or [*HALVES, *PERTURBED]:
        start = time.perf_counter()
        found = perturbed(PERTURBED[name]) if name in PERTURBED else over_seeds(HALVES[name])
        found["seconds"] = time.perf_counter() - start
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"config": "configs/quickstart.yaml"}
        RESULTS.write_text(json.dumps({**known, name: found}, indent=2) + "\n")
        print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
