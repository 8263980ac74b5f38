"""One picture of a batch: the phases of all its reconstructions side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import DPI_OF_MANY, figure_size, new_figure, robust_limits, save_png, show_image
from ptycupy.outputs.object_figures import phase_sum
from ptycupy.outputs.region import steps
from ptycupy.storage.snapshot import Snapshot

MOST = 100  # panels
TITLE = 28  # characters of a name above its panel


@dataclass(frozen=True)
class Tile:
    """One panel: a phase [y, x] in rad about its median, or None where there is no result, and why."""

    name: str
    image: NDArray[Any] | None = None
    step: tuple[float, float] = (1.0, 1.0)  # pixel size (y, x)
    unit: str = "px"
    remark: str = ""

    @classmethod
    def of(cls, name: str, snapshot: Snapshot, remark: str = "") -> Tile:
        """The phase of a reconstruction, summed over slices, in its field of view."""
        image = phase_sum(snapshot)
        step, unit = steps(snapshot)
        return cls(name, (image - np.median(image)).astype(np.float32), step, unit, remark)


def write_overview(path: Path, tiles: Sequence[Tile]) -> None:
    """A PNG of the first hundred panels on one colour scale, a scale bar on each."""
    shown = tiles[:MOST]
    columns = math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    images = [tile.image for tile in shown if tile.image is not None]
    limits = robust_limits(np.concatenate([image.ravel() for image in images])) if images else (0.0, 1.0)
    sizes = [(t.image.shape[0] * t.step[0], t.image.shape[1] * t.step[1]) for t in shown if t.image is not None]
    tallest, widest = (max(lengths) for lengths in zip(*sizes, strict=True)) if sizes else (1.0, 1.0)
    height, width = figure_size(tallest, widest, max(1.6, min(3.5, 11.0 / columns)))
    figure = new_figure(width * columns + 1.2, (height + 0.3) * rows + 0.2, DPI_OF_MANY)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    drawn = None
    for axes, tile in zip(panels, shown, strict=False):
        name = tile.name if len(tile.name) <= TITLE else tile.name[: TITLE - 3] + "..."
        axes.set_title(f"{name}{f' ({tile.remark})' if tile.remark and tile.image is not None else ''}", fontsize=8)
        if tile.image is None:
            axes.set(xticks=[], yticks=[])
            axes.set_box_aspect(tallest / widest)
            axes.text(0.5, 0.5, tile.remark, ha="center", va="center", fontsize=9, transform=axes.transAxes)
        else:
            drawn = show_image(axes, tile.image, tile.step, tile.unit, limits)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    if drawn is not None:
        figure.colorbar(drawn, ax=list(panels), label="phase about its median (rad)", shrink=0.8, pad=0.015)
    if len(shown) < len(tiles):
        figure.suptitle(f"the first {len(shown)} of {len(tiles)}", fontsize=10)
    save_png(figure, path)
