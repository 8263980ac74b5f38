"""Model against measurement: does the reconstruction explain the data?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure, robust_limits, show_image
from ptycupy.outputs.region import steps
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


@dataclass(frozen=True)
class Residuals:
    """How well the model explains a sample of the positions, by the pixels that count."""

    indices: NDArray[Any]  # [n]
    relative: NDArray[np.float64]  # [n] |sqrt(model) - sqrt(measured)| summed, over sqrt(measured) summed
    measured: NDArray[np.float64]  # [ky, kx] mean pattern; nan where no pixel counts
    model: NDArray[np.float64]  # [ky, kx]
    noise: float | None = None  # what `relative` would be on average if only counts fluctuated; None without counts
    counts: float | None = None  # per pattern on the detector, mean
    saturated: int = 0  # pixels that count although they stand at the detector's largest value


def residuals_figure(snapshot: Snapshot, found: Residuals) -> Figure:
    """The residual at each position of the sample, and the mean pattern as measured and as the model has it."""
    step, unit = _steps(snapshot, (found.measured.shape[0], found.measured.shape[1]))
    length, of_positions = steps(snapshot)
    middle = np.asarray(snapshot.state.probe.shape[-2:]) // 2
    places = (np.asarray(snapshot.corners + snapshot.shifts, np.float64)[found.indices] + middle) * length
    figure = new_figure(12.5, 3.5, DPI_OF_MANY)
    scan, left, centre, right = figure.subplots(1, 4, width_ratios=(1.15, 1, 1, 1))
    dots = scan.scatter(places[:, 1], places[:, 0], c=100 * found.relative, s=9, cmap="viridis", linewidths=0)
    scan.set_aspect("equal")
    scan.invert_yaxis()
    scan.set(xlabel=f"x ({of_positions})", ylabel=f"y ({of_positions})")
    scan.set_title("residual by position", fontsize=9)
    figure.colorbar(dots, ax=scan, label="%", shrink=0.8)
    measured, model = (np.maximum(mean, 0) ** POWER for mean in (found.measured, found.model))
    limits = robust_limits(np.concatenate([measured.ravel(), model.ravel()]))
    widest = max(abs(limit) for limit in robust_limits(model - measured))
    show_image(left, measured, step, unit, limits, "inferno")
    same = show_image(centre, model, step, None, limits, "inferno")
    other = show_image(right, model - measured, step, None, (-widest, widest), "RdBu_r")
    figure.colorbar(same, ax=centre, shrink=0.8, pad=0.02)
    figure.colorbar(other, ax=right, shrink=0.8, pad=0.02)
    for axes, title in ((left, "mean pattern"), (centre, "model"), (right, "model - measured")):
        axes.set_title(f"{title}, square root", fontsize=9)
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
