"""Model against measurement: does the reconstruction explain the data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure, robust_limits, show_image
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POWER = 0.5


@dataclass(frozen=True)
class PatternPair:
    """A few patterns as measured and as the model has them: same scale, beam in the centre."""

    indices: NDArray[Any]  # [n] which positions these are
    measured: NDArray[Any]  # [n, ky, kx]; negative or not finite = the pixel does not count
    model: NDArray[Any]  # [n, ky, kx]


def patterns_figure(snapshot: Snapshot, pair: PatternPair) -> Figure:
    """Measured, model (one colour scale per row) and their difference, all to the power 0.5."""
    count = len(pair.indices)
    rows, columns = pair.measured.shape[1:]
    step, unit = _steps(snapshot, (rows, columns))
    panel = 2.6
    height, width = panel * rows / max(rows, columns), panel * columns / max(rows, columns)
    figure = new_figure(3 * width + 1.9, height * count + 0.7, DPI_OF_MANY)
    panels = figure.subplots(count, 3, squeeze=False)
    for row, index in enumerate(pair.indices):
        valid = np.isfinite(pair.measured[row]) & (pair.measured[row] >= 0)
        measured = np.where(valid, np.maximum(pair.measured[row], 0), np.nan) ** POWER
        model = np.maximum(pair.model[row], 0) ** POWER
        difference = model - measured
        limits = robust_limits(np.concatenate([measured[valid], model[valid]]))
        widest = max(abs(limit) for limit in robust_limits(difference))
        left, middle, right = panels[row]
        show_image(left, measured, step, unit if row == 0 else None, limits, "inferno")
        same = show_image(middle, model, step, None, limits, "inferno")
        other = show_image(right, difference, step, None, (-widest, widest), "RdBu_r")
        figure.colorbar(same, ax=middle, shrink=0.8, pad=0.02)
        figure.colorbar(other, ax=right, shrink=0.8, pad=0.02)
        left.set_ylabel(f"position {index}", fontsize=9)
        if row == 0:
            for axes, title in zip(panels[0], ("measured", "model", "model - measured"), strict=True):
                axes.set_title(title, fontsize=10)
    figure.suptitle("diffraction patterns, square root of the intensity", fontsize=10)
    return figure


def _steps(snapshot: Snapshot, shape: tuple[int, int]) -> tuple[tuple[float, float], str]:
    """Detector pixel in mrad; in px without a calibration or where the detector samples otherwise than the window."""
    window = snapshot.state.probe.shape[-2:]
    if snapshot.pixel_size is None or snapshot.wavelength is None or shape != tuple(window):
        return (1.0, 1.0), "px"
    step_y, step_x = (
        1e3 * snapshot.wavelength / (n * size) for n, size in zip(window, snapshot.pixel_size, strict=True)
    )
    return (step_y, step_x), "mrad"
