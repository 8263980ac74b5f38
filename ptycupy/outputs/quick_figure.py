"""One picture of a first look: the panels side by side, the disk drawn into the mean pattern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure, save_png, show_image

COLUMNS = 4
PANEL = 2.9  # inches


@dataclass(frozen=True)
class Panel:
    """An image [y, x], or RGB, with its title; `circle` is (y, x, radius) in px."""

    title: str
    image: NDArray[Any]
    step: tuple[float, float] = (1.0, 1.0)
    unit: str | None = None
    cmap: str = "gray"
    circle: tuple[float, float, float] | None = None


def directions(field: NDArray[Any]) -> NDArray[np.float64]:
    """RGB [y, x, 3] of a field [y, x, (y, x)] about its mean: hue is the direction, brightness the length."""
    from matplotlib.colors import hsv_to_rgb

    y, x = (field[..., axis] - field[..., axis].mean() for axis in (0, 1))
    length = np.hypot(y, x)
    longest = np.percentile(length, 99) or 1.0
    hue = (np.arctan2(y, x) / (2 * math.pi)) % 1
    return np.asarray(hsv_to_rgb(np.stack([hue, np.ones_like(hue), np.clip(length / longest, 0, 1)], axis=-1)))


def write_panels(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """A PNG of all panels."""
    from matplotlib.patches import Circle

    rows = math.ceil(len(panels) / COLUMNS)
    figure = new_figure(PANEL * COLUMNS, (PANEL + 0.25) * rows + 0.3, DPI_OF_MANY)
    places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, panel in zip(places, panels, strict=False):
        limits = (0.0, 1.0) if panel.image.ndim == 3 else None
        show_image(axes, panel.image, panel.step, panel.unit, limits, panel.cmap)
        axes.set_title(panel.title, fontsize=9)
        if panel.circle is not None:
            y, x, radius = (value * panel.step[0] for value in panel.circle)
            half = panel.step[0] / 2  # pixel centres lie half a pixel inside the image's edge
            axes.add_patch(Circle((x + half, y + half), radius, fill=False, edgecolor="cyan", linewidth=1))
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=10)
    save_png(figure, path)
