"""A whole reconstruction that takes a second: a folder with data and a configuration for the command line."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np

from ptycupy.api import run

CONFIG = """\
version: 1
data: {{path: scan.h5, key: dp}}
illumination: {{path: scan.h5, key: probe, modes: 1}}
calibration: {{mode: none}}
scan: {{path: scan.h5, key: positions_px}}
optimizer: {{object_amplitude: 1e-2, object_phase: 1e-2, probe: 1e-3, shifts: 0}}
constraints: []
reconstruction: {{iterations: {iterations}, batch_size: 4, checkpoint_every: {checkpoint_every}}}
output: {{folder: '{output}'}}
"""


def write(folder: Path, *, iterations: int = 4, checkpoint_every: int = 2, seed: int = 0) -> Path:
    """scan.h5 (16 patterns of 16 x 16 px) and tiny.yaml in `folder`; returns the latter's path. Runs go beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-8:8, -8:8]
    probe = np.exp(-(y**2 + x**2) / 18.0) * np.exp(0.03j * (y**2 + x**2))
    steps = np.mgrid[:4, :4].reshape(2, -1).T * 3
    transmission = np.exp(1j * random.uniform(-0.5, 0.5, (40, 40)))
    waves = [probe * transmission[r : r + 16, c : c + 16] for r, c in steps]
    intensity = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
    with h5py.File(folder / "scan.h5", "w") as file:
        file["dp"] = random.poisson(1e4 * intensity / intensity.sum(axis=(1, 2)).mean()).astype(np.uint16)
        file["positions_px"] = steps.astype(float)
        file["probe"] = probe
    path = folder / "tiny.yaml"
    text = CONFIG.format(iterations=iterations, checkpoint_every=checkpoint_every, output=folder / "runs")
    path.write_text(text, encoding="utf-8")
    return path


def write_wider(folder: Path, *, iterations: int = 1) -> Path:
    """The same with 7 x 7 positions and more counts: enough of a field for a ring correlation."""
    config = write(folder, iterations=iterations)
    random = np.random.default_rng(0)
    steps = np.mgrid[:7, :7].reshape(2, -1).T * 3
    transmission = np.exp(1j * random.uniform(-0.5, 0.5, (40, 40)))
    with h5py.File(folder / "scan.h5", "a") as file:
        waves = [file["probe"][()] * transmission[r : r + 16, c : c + 16] for r, c in steps]
        intensity = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
        del file["dp"], file["positions_px"]
        file["dp"] = random.poisson(1e5 * intensity / intensity.sum(axis=(1, 2)).mean()).astype(np.uint16)
        file["positions_px"] = steps.astype(float)
    return config


def run_folder(config: Path) -> Path:
    """The only run of a configuration."""
    (found,) = (config.parent / "runs").iterdir()
    return found


def start(*arguments: object, **keywords: object) -> subprocess.Popen:
    """`ptycupy` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ptycupy", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
        **keywords,
    )


def without_pictures(monkeypatch):
    """Runs leave no figures and no report: these have tests of their own and take most of a second."""
    monkeypatch.setattr(run, "write_outputs", lambda *given, **named: None)
    monkeypatch.setattr(run, "report", lambda *given, **named: [])
    monkeypatch.setattr(run, "look", lambda engine: SimpleNamespace(pair=None))
