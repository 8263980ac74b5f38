"""SSIM against time on the abTEM set of twisted WSe2, against the batch size, and images on the way."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.comparison import Comparison
from ptycupy.analysis.result import score_result
from ptycupy.backends.interface import Backend
from ptycupy.config import from_dict
from ptycupy.config.schema import Truth
from ptycupy.data import open_source
from ptycupy.errors import DataError
from ptycupy.experiment import build
from ptycupy.reconstruction.callbacks import Quiet
from ptycupy.reconstruction.configured import settings_from
from ptycupy.reconstruction.engine import Engine

DATA = Path(__file__).parents[2] / "configs" / "data" / "abtem_wse2.h5"
IMAGES_AT = (1, 5, 20, 100, 200)
BATCHES = (16, 32, 64, 128, 256)


SCAN_SHAPE, STEP_ANGSTROM, PIXEL_ANGSTROM = (24, 24), 0.429, 0.1494


def wse2_engine(
    backend: Backend,
    data: Path,
    batch: int,
    modes: int = 4,
    slices: int = 6,
    jitter_px: float = 0.0,
    seed: int = 0,
    scan_shape: tuple[int, int] = SCAN_SHAPE,
) -> Engine:
    """As configs/multislice_wse2.yaml, with another batch size. Raises DataError where there are no data."""
    if not data.exists():
        raise DataError(f"{data}: the abTEM set is not here; it lies in configs/data of the source tree")
    config = from_dict(
        {
            "data": {"path": str(data), "key": "dp", "scan_shape": list(scan_shape)},
            "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9, "modes": modes},
            "calibration": {"mode": "pixel_size_angstrom", "value": PIXEL_ANGSTROM},
            "scan": {"step_angstrom": STEP_ANGSTROM, "jitter_px": jitter_px},
            "object": {"slices": slices, "slice_thickness_angstrom": 2.0},
            "constraints": [
                {"name": "orthogonal_probe"},
                {"name": "fixed_probe_intensity"},
                {"name": "lateral_blur", "std": 0.4},
                {"name": "depth_blur", "std": 1.0},
                {"name": "amplitude_threshold", "thresh": [0.98, 1.02]},
                {"name": "positive_phase"},
                {"name": "position_recentring"},
            ],
            "reconstruction": {"batch_size": batch, "seed": seed},
        }
    )
    problem, state = build(config, open_source(config.data))
    return Engine(problem, state, settings_from(config), backend)


class Watch(Quiet):
    """SSIM and correlation after every iteration, and images after some."""

    def __init__(self, data: Path, images_at: Collection[int]) -> None:
        self.truth = Truth(path=str(data), key="truth_phase")
        self.images_at = images_at
        self.ssim: list[float] = []
        self.correlation: list[float] = []
        self.images: dict[str, Any] = {}

    def on_iteration(self, engine: Engine) -> None:
        found: Comparison = score_result(engine.snapshot(), self.truth)
        self.ssim.append(found.ssim)
        self.correlation.append(found.correlation)
        if engine.iteration in self.images_at:
            self.images[str(engine.iteration)] = packed(found.image)
            self.images["truth"] = packed(found.truth)


def run_quality(
    backend: Backend, data: Path, batch: int, iterations: int, images_at: Sequence[int], modes: int = 4, slices: int = 6
) -> dict[str, Any]:
    """SSIM after each iteration, beside the seconds of iterations until then; scoring is not timed."""
    engine = wse2_engine(backend, data, batch, modes, slices)
    watch = Watch(data, images_at)
    engine.run(iterations, [watch])
    return {
        "batch": batch,
        "modes": modes,
        "slices": slices,
        "seconds": np.cumsum(engine.history.seconds).tolist(),
        "ssim": watch.ssim,
        "correlation": watch.correlation,
        "loss": list(engine.history.total),
        "images": watch.images,
    }


def packed(image: NDArray[Any]) -> dict[str, Any]:
    """An image [y, x] as 8 bits between its extremes, base64: small enough for JSON."""
    low, high = float(image.min()), float(image.max())
    grey = np.round((image - low) / max(high - low, 1e-30) * 255).astype(np.uint8)
    return {
        "shape": list(image.shape),
        "low_rad": low,
        "high_rad": high,
        "pixels": base64.b64encode(grey.tobytes()).decode(),
    }
