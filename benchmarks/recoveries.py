"""Are tilt, bend, slice thickness and positions found again? And with a free object, how well, against the depth blur?

    python benchmarks/recoveries.py [--output benchmarks/results/recoveries_cpu.json]

A thick specimen (ten slices of 10 angstrom, columns on a square lattice that differ from slice to slice) is simulated
at 300 kV with Poisson noise. Each parameter then starts wrong and is refined, first with object and probe held at the
truth, then the tilt with an object that starts empty: a tilt and a shear of the slices are the same thing to the data,
so there only the depth regularisation decides between them.
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ptycupy
from ptycupy.experiment.optics import electron_wavelength

PIXEL_SIZE = 0.2  # angstrom
WINDOW = 64
SCAN = 12
STEP_PX = 4
SLICES = 10
THICKNESS = 10.0  # angstrom
ELECTRONS = 1e6 * (STEP_PX * PIXEL_SIZE) ** 2  # per pattern: 1e6 per square angstrom
CANVAS = WINDOW + SCAN * STEP_PX + 8
DEPTH_BLURS = (0.0, 0.5, 1.0, 2.0)
LOSSES = {"gaussian": {}}


def specimen(seed: int = 0) -> NDArray[np.float32]:
    """Phase [1, z, y, x] in rad: columns every 3.9 angstrom, others between them, every slice with its own scatter."""
    generator = np.random.default_rng(seed)
    y = x = np.arange(CANVAS) * PIXEL_SIZE
    phase = np.zeros((SLICES, CANVAS, CANVAS))
    for offset, strength in ((0.0, 0.5), (1.95, 0.3)):
        for centre in np.stack(np.meshgrid(*[np.arange(offset, CANVAS * PIXEL_SIZE, 3.9)] * 2), -1).reshape(-1, 2):
            for layer in phase:
                cy, cx = centre + 0.08 * generator.standard_normal(2)
                height = strength * (1 + 0.2 * generator.standard_normal())
                layer += height * np.exp(-((y[:, None] - cy) ** 2 + (x - cx) ** 2) / (2 * 0.3**2))
    return phase[None].astype(np.float32)


def scene(tilts: Any) -> tuple[ptycupy.Problem, ptycupy.State]:
    """The measured problem and its true state."""
    generator = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(SCAN) * STEP_PX] * 2, indexing="ij"), -1).reshape(-1, 2)
    wavelength = electron_wavelength(300)
    probe = ptycupy.make_probe(300, 21.4, (WINDOW, WINDOW), PIXEL_SIZE, {"C10": -100.0})[None]
    phase = specimen()
    truth = ptycupy.State(
        object_amplitude=np.ones_like(phase),
        object_phase=phase,
        probe=probe,
        shifts=generator.uniform(-0.5, 0.5, grid.shape).astype(np.float32),
        tilts=np.asarray(tilts, np.float32),
        slice_thickness=np.float32(THICKNESS),
    )
    empty = np.zeros((len(grid), WINDOW, WINDOW), np.float32)
    problem = ptycupy.Problem(empty, (grid + 4).astype(np.int32), PIXEL_SIZE, wavelength, scan_shape=(SCAN, SCAN))
    expected = ptycupy.forward(problem, truth, np.arange(len(grid)), backend="cpu")
    counts = generator.poisson(expected * ELECTRONS / expected.sum(axis=(1, 2)).mean())
    return replace(problem, patterns=counts.astype(np.uint16), pattern_scale=1 / ELECTRONS), truth


def refine(
    problem: ptycupy.Problem, start: ptycupy.State, rates: dict[str, float], iterations: int, constraints: Any = ()
) -> ptycupy.State:
    """The state after so many iterations of Adam, its rates falling to 1 % along the way so that it settles."""
    settings = ptycupy.Settings(
        LOSSES,
        learning_rates=rates,
        schedule=lambda iteration: 0.01 ** (iteration / iterations),
        constraints=constraints,
        batch_size=16,
    )
    engine = ptycupy.Engine(problem, start, settings, backend="cpu")
    engine.run(iterations)
    corners = np.asarray(engine.problem.corners) - np.asarray(problem.corners)  # whole pixels move into the corners
    return engine.state.replace(shifts=engine.state.shifts + corners)


def rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def bend() -> NDArray[np.float64]:
    """Tilts [N, 2] mrad of a specimen bent by 2 mrad from one side of the scan to the other, about (1.5, -1.0)."""
    y, x = (values.ravel() for values in np.meshgrid(*[np.linspace(-1, 1, SCAN)] * 2, indexing="ij"))
    return np.stack([1.5 + x, -1.0 + y * x], axis=1)


def held_object() -> dict[str, float]:
    """Errors that are left when one parameter at a time starts wrong and everything else is true."""
    problem, truth = scene([[1.5, -1.0]])
    generator = np.random.default_rng(2)
    count = len(truth.shifts)
    errors = {}
    found = refine(problem, truth.replace(tilts=np.zeros((1, 2), np.float32)), {"tilts": 0.1}, 40)
    errors["global tilt, mrad"] = float(np.abs(found.tilts - truth.tilts).max())
    found = refine(problem, truth.replace(slice_thickness=np.float32(1.1 * THICKNESS)), {"slice_thickness": 0.1}, 40)
    errors["slice thickness, %"] = 100 * abs(float(found.slice_thickness) / THICKNESS - 1)
    moved = truth.shifts + generator.normal(0, 0.5, truth.shifts.shape).astype(np.float32)
    found = refine(problem, truth.replace(shifts=moved), {"shifts": 0.1}, 60)
    errors["shifts, px rms"] = rms(found.shifts - truth.shifts)
    problem, truth = scene(bend())
    found = refine(problem, truth.replace(tilts=np.zeros((count, 2), np.float32)), {"tilts": 0.3}, 60)
    errors["tilt of each position, mrad rms"] = rms(found.tilts - truth.tilts)
    return errors


def free_object() -> list[dict[str, float]]:
    """The error of the global tilt, and of the summed phase, when object and probe are refined too."""
    problem, truth = scene([[1.5, -1.0]])
    window = slice(WINDOW // 2, WINDOW // 2 + SCAN * STEP_PX)
    rows = []
    for std in DEPTH_BLURS:
        start = truth.replace(object_phase=np.zeros_like(truth.object_phase), tilts=np.zeros((1, 2), np.float32))
        constraints = [ptycupy.Constraint("positive_phase"), ptycupy.Constraint("fixed_probe_intensity")]
        if std:
            constraints.append(ptycupy.Constraint("depth_blur", std=std))
        rates = {"object_phase": 1e-2, "tilts": 0.1}
        found = refine(problem, start, rates, 100, constraints)
        image, true = (s.object_phase[0].sum(axis=0)[window, window].ravel() for s in (found, truth))
        rows.append(
            {
                "depth blur, slices": std,
                "tilt error y, mrad": float(found.tilts[0, 0] - truth.tilts[0, 0]),
                "tilt error x, mrad": float(found.tilts[0, 1] - truth.tilts[0, 1]),
                "correlation of the summed phase": float(np.corrcoef(image, true)[0, 1]),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "recoveries_cpu.json")
    output = parser.parse_args().output
    found = {"held object": held_object(), "free object": free_object()}
    machine = {"machine": platform.machine(), "ptycupy": ptycupy.__version__}
    output.write_text(json.dumps({"command": "python benchmarks/recoveries.py", **machine, **found}, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
