"""Cross-sections along the beam through the strongest column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure, robust_limits
from ptycupy.outputs.region import mean_mode, shown_region, steps
from ptycupy.storage.layouts import slice_depths
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def cross_sections_figure(snapshot: Snapshot) -> Figure:
    """The phase of several slices cut along x and along y, depth downwards, and the column's profile along the beam."""
    rows, columns = shown_region(snapshot)
    stack = mean_mode(snapshot, snapshot.state.object_phase)[:, rows, columns]
    (step_y, step_x), unit = steps(snapshot)
    calibrated = snapshot.pixel_size is not None
    depths = np.asarray(slice_depths(snapshot)) if calibrated else np.arange(len(stack), dtype=float)
    label = "depth (Å)" if calibrated else "slice"
    y, x = np.unravel_index(int(np.argmax(stack.sum(axis=0))), stack.shape[1:])
    figure = new_figure(9.5, 3.2, DPI_OF_MANY)
    along_x, along_y, profile = figure.subplots(1, 3, width_ratios=(2, 2, 1))
    edges = (depths[0] - (depths[1] - depths[0]) / 2, depths[-1] + (depths[-1] - depths[-2]) / 2)
    limits = robust_limits(stack)
    for axes, cut, step, name in ((along_x, stack[:, y], step_x, "x"), (along_y, stack[:, :, x], step_y, "y")):
        extent = (0, cut.shape[1] * step, edges[1], edges[0])
        shown = axes.imshow(cut, cmap="gray", vmin=limits[0], vmax=limits[1], extent=extent, aspect="auto")
        axes.set(xlabel=f"{name} ({unit})", ylabel=label)
    figure.colorbar(shown, ax=along_y, label="phase (rad)", pad=0.02)
    along_x.set_title(f"at y = {y * step_y:.3g} {unit}", fontsize=9)
    along_y.set_title(f"at x = {x * step_x:.3g} {unit}", fontsize=9)
    column = stack[:, y, x]
    profile.plot(column, depths, "k.-")
    profile.set(
        xlabel="phase (rad)", ylabel=label, xlim=(min(0, column.min()), 1.1 * column.max()), ylim=(edges[1], edges[0])
    )
    profile.set_title("the strongest column", fontsize=9)
    return figure
