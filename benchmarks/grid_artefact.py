"""What grid_artefact_removal does to a regular raster: power at the raster's frequencies, and agreement with the truth.

    python benchmarks/grid_artefact.py [--iterations 60] [--seeds 0 1 2] [--out FILE.json]

A simulated object is scanned on an exactly regular raster of large steps, counted, and reconstructed from a probe of
wrong defocus that is refined: the ambiguity of such scans leaves the raster in object and probe (Thibault et al.,
Ultramicroscopy 109 (2009) 338). The same run is made without the constraint, with it in every iteration from the tenth
on, and with it applied once to the result of the first run. Raster and other power are those of the error.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ptycupy
from ptycupy.bench.machine import describe_machine
from ptycupy.simulate.phantom import random_discs

WINDOW, SCAN, STEP_PX = 64, 12, 16
PIXEL_SIZE, KV, CONVERGENCE_MRAD = 0.2, 80.0, 25.0
DEFOCUS, DEFOCUS_ERROR = 100.0, 30.0  # angstrom
ELECTRONS = 1e6  # per pattern
WIDTH, START = 0.05, 10
RATES = {"object_phase": 5e-3, "object_amplitude": 5e-3, "probe": 0.1}
Floats = NDArray[np.float64]


def simulated(seed: int) -> tuple[ptycupy.Problem, ptycupy.State, Floats]:
    """Counted patterns, a start with the wrong probe, and the true phase [Y, X]."""
    rng = np.random.default_rng(seed)
    canvas = (SCAN - 1) * STEP_PX + WINDOW
    truth = 0.4 * random_discs((canvas, canvas), (3.0, 9.0), 1.0, rng)
    corners = (STEP_PX * np.stack(np.indices((SCAN, SCAN)), -1).reshape(-1, 2)).astype(np.int32)
    probes = [
        ptycupy.make_probe(KV, CONVERGENCE_MRAD, (WINDOW, WINDOW), PIXEL_SIZE, aberrations={"C10": -defocus})[None]
        for defocus in (DEFOCUS, DEFOCUS + DEFOCUS_ERROR)
    ]
    positions = len(corners)

    def state(phase: NDArray[Any], probe: NDArray[Any]) -> ptycupy.State:
        return ptycupy.State(
            np.ones((1, 1, canvas, canvas), np.float32),
            phase[None, None].astype(np.float32),
            (np.sqrt(ELECTRONS) * probe).astype(np.complex64),
            np.zeros((positions, 2), np.float32),
            np.zeros((1, 2), np.float32),
            np.float32(1.0),
        )

    empty = np.zeros((positions, WINDOW, WINDOW), np.float32)
    problem = ptycupy.Problem(empty, corners, PIXEL_SIZE, 0.0418, scan_shape=(SCAN, SCAN))
    expected = ptycupy.forward(problem, state(truth, probes[0]), range(positions), backend="cpu")
    counts = rng.poisson(expected).astype(np.uint16)
    measured = ptycupy.Problem(counts, corners, PIXEL_SIZE, 0.0418, scan_shape=(SCAN, SCAN))
    return measured, state(np.zeros_like(truth), probes[1]), truth


def scanned(image: Floats) -> Floats:
    """A whole number of steps between the middles of the outermost windows, mean removed."""
    first, size = WINDOW // 2, (SCAN - 1) * STEP_PX
    field = image[first : first + size, first : first + size]
    return field - field.mean()


def raster_power(error: Floats) -> tuple[float, float]:
    """Mean power of an image [k, k] at the raster's frequencies (the mean excepted) and elsewhere up to the highest."""
    power = np.abs(np.fft.fft2(error, norm="ortho")) ** 2
    steps = SCAN - 1
    order = np.abs(np.fft.fftfreq(len(error), 1 / len(error)))
    low = order <= 2 * steps
    on = (order % steps == 0) & low
    raster = on[:, None] & on
    raster[0, 0] = False
    other = low[:, None] & low & ~(on[:, None] & on)
    return float(power[raster].mean()), float(power[other].mean())


def judged(state: ptycupy.State, truth: Floats) -> dict[str, float]:
    found, wanted = scanned(state.object_phase[0, 0].astype(float)), scanned(truth)
    correlation = float((found * wanted).sum() / np.sqrt((found**2).sum() * (wanted**2).sum()))
    on, off = raster_power(found - wanted)
    rms = float(np.sqrt(((found - wanted) ** 2).mean()))
    return {"correlation": correlation, "rms_error_rad": rms, "raster_power": on, "other_power": off}


def run(seed: int, iterations: int) -> dict[str, dict[str, float]]:
    problem, start, truth = simulated(seed)
    always = [ptycupy.Constraint("fixed_probe_intensity")]
    removal = ptycupy.Constraint("grid_artefact_removal", start=START, width=WIDTH)
    results = {}
    for name, constraints in (("without", always), ("every iteration", [*always, removal])):
        settings = ptycupy.Settings({"gaussian": {}}, learning_rates=RATES, constraints=constraints, batch_size=16)
        engine = ptycupy.Engine(problem, start, settings, backend="cpu")
        engine.run(iterations)
        results[name] = {**judged(engine.state, truth), "loss": engine.history.total[-1]}
        if name == "without":
            once = ptycupy.apply_constraint(
                "grid_artefact_removal", engine.problem, engine.state, backend="cpu", width=WIDTH
            )
            results["once, at the end"] = judged(once, truth)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    runs = {str(seed): run(seed, arguments.iterations) for seed in arguments.seeds}
    for seed, results in runs.items():
        for name, values in results.items():
            print(f"seed {seed}, {name:16}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()))
    if arguments.out:
        record = {
            "command": f"python benchmarks/grid_artefact.py --iterations {arguments.iterations} --seeds "
            + " ".join(map(str, arguments.seeds)),
            "settings": {"window_px": WINDOW, "scan": SCAN, "step_px": STEP_PX, "electrons": ELECTRONS, "width": WIDTH,
                         "defocus_angstrom": DEFOCUS, "defocus_error_angstrom": DEFOCUS_ERROR},
            **describe_machine("cpu"),
            "seconds": round(time.perf_counter() - begun, 1),
            "runs": runs,
        }  # fmt: skip
        arguments.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
