"""What sharing the probe among scans brings at low dose, against each scan on its own.

    python benchmarks/shared_probe.py [--iterations 40] [--seeds 0 1 2 3 4] [--out FILE.json]

Fields of a random weak phase, each scanned with the same astigmatic probe and few electrons per pattern, start from a
probe without the astigmatism. Probe error is 1 - |<p, t>| / (|p| |t|); the object's correlation with the truth is over
the scanned field. A shared probe is updated by every scan's batches, so that scans on their own also run as many times
longer: as many updates of the probe, of data of one scan alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import ptycupy
from ptycupy import backends
from ptycupy.bench.machine import describe_machine
from ptycupy.reconstruction.joint import JointEngine

WINDOW, SCAN, STEP_PX = 32, 7, 4
PIXEL_SIZE, WAVELENGTH, KV, CONVERGENCE_MRAD = 0.2, 0.0418, 80.0, 24.9
TRUE = {"C10": -60.0, "C12a": 25.0, "C12b": -15.0}  # angstrom
START = {"C10": -60.0}
ELECTRONS = 300  # per pattern
RATES = {"object_phase": 1e-2, "probe": 1e-3}
Scene = tuple[ptycupy.Problem, ptycupy.State, NDArray[Any]]


def probe(aberrations: dict[str, float]) -> NDArray[Any]:
    """One mode [1, y, x] of unit intensity."""
    shape = (WINDOW, WINDOW)
    return ptycupy.make_probe(KV, CONVERGENCE_MRAD, shape, PIXEL_SIZE, aberrations=aberrations).reshape(1, *shape)


def simulated(seed: int) -> Scene:
    """Counted patterns, the start, and the true phase [Y, X]."""
    rng = np.random.default_rng(seed)
    canvas = WINDOW + (SCAN - 1) * STEP_PX + 4
    phase = gaussian_filter(rng.standard_normal((canvas, canvas)), 1.2)
    phase *= 0.25 / phase.std()
    corners = (2 + STEP_PX * np.stack(np.indices((SCAN, SCAN)), -1).reshape(-1, 2)).astype(np.int32)
    wave, transmission = probe(TRUE)[0], np.exp(1j * phase)
    exits = np.array([wave * transmission[y : y + WINDOW, x : x + WINDOW] for y, x in corners])
    intensities = np.abs(np.fft.fftshift(np.fft.fft2(exits, norm="ortho"), axes=(1, 2))) ** 2
    counts = rng.poisson(ELECTRONS * intensities).astype(np.float32)
    state = ptycupy.State(
        np.ones((1, 1, canvas, canvas), np.float32),
        np.zeros((1, 1, canvas, canvas), np.float32),
        probe(START).astype(np.complex64),
        np.zeros((len(corners), 2), np.float32),
        np.zeros((1, 2), np.float32),
        np.float32(1.0),
    )
    return ptycupy.Problem(counts, corners, PIXEL_SIZE, WAVELENGTH, pattern_scale=1 / ELECTRONS), state, phase


def errors(state: ptycupy.State, phase: NDArray[Any]) -> tuple[float, float]:
    """The probe's error, and the correlation of the object with the truth."""
    found, true = state.probe[0].ravel(), probe(TRUE)[0].ravel()
    overlap = abs(np.vdot(found, true)) / np.linalg.norm(found) / np.linalg.norm(true)
    field = slice(WINDOW // 2 + 2, -(WINDOW // 2) - 2)
    correlation = np.corrcoef(state.object_phase[0, 0, field, field].ravel(), phase[field, field].ravel())[0, 1]
    return float(1 - overlap), float(correlation)


def compare(scenes: list[Scene], iterations: int) -> dict[str, list[tuple[float, float]]]:
    """(probe error, correlation) of every scan: alone, alone for longer, and with a shared probe."""
    settings = ptycupy.Settings(
        {"gaussian": {}},
        learning_rates=RATES,
        batch_size=8,
        constraints=[ptycupy.Constraint("fixed_probe_intensity")],
    )
    backend = backends.select("cpu")
    alone = [ptycupy.Engine(problem, state, settings, backend) for problem, state, _ in scenes]
    for engine in alone:
        engine.run(iterations)
    found = {"alone": [errors(engine.state, phase) for engine, (_, _, phase) in zip(alone, scenes, strict=True)]}
    for engine in alone:
        engine.run(iterations * (len(scenes) - 1))
    joint = JointEngine([ptycupy.Engine(*scene[:2], settings, backend) for scene in scenes], ["probe"])
    joint.run(iterations)
    for how, engines in (("longer", alone), ("shared", list(joint.engines))):
        found[how] = [errors(engine.state, phase) for engine, (_, _, phase) in zip(engines, scenes, strict=True)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for scans in (2, 4):
        for seed in arguments.seeds:
            scenes = [simulated(100 * seed + number) for number in range(scans)]
            found = compare(scenes, arguments.iterations)
            means = {how: np.mean(values, axis=0).round(5).tolist() for how, values in found.items()}
            rows.append({"scans": scans, "seed": seed, **means})
            print(rows[-1], flush=True)
    medians = {
        f"{scans} scans, {how}": np.median([row[how] for row in rows if row["scans"] == scans], axis=0).tolist()
        for scans in (2, 4)
        for how in ("alone", "longer", "shared")
    }
    record = {
        "what": "median over seeds of the scans' mean (probe error, object correlation)",
        **describe_machine("cpu"),
        "iterations": arguments.iterations,
        "electrons per pattern": ELECTRONS,
        "medians": medians,
        "rows": rows,
    }
    print(json.dumps(medians, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
