"""Cross-sections along the beam."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import DPI_OF_MANY, add_colorbar, new_figure, robust_limits
from ptycupy.outputs.object_figures import phase_stack
from ptycupy.outputs.region import steps
from ptycupy.storage.layouts import slice_depths
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Along = Literal["x", "y"]


def cross_sections_figure(snapshot: Snapshot) -> Figure:
    """The phase of several slices cut along x and along y, depth downwards, and the column's profile along the beam."""
    stack = phase_stack(snapshot)
    y, x = strongest_column(stack)
    figure = new_figure(9.5, 3.2, DPI_OF_MANY)
    along_x, along_y, profile = figure.subplots(1, 3, width_ratios=(2, 2, 1))
    draw_cross_section(along_x, snapshot, "x", y)
    add_colorbar(along_y, draw_cross_section(along_y, snapshot, "y", x), "phase (rad)")
    depths, label = _depths(snapshot)
    column = stack[:, y, x]
    profile.plot(column, depths, "k.-")
    profile.set(
        xlabel="phase (rad)", ylabel=label, xlim=(min(0, column.min()), 1.1 * column.max()), ylim=_edges(depths)
    )
    profile.set_title("the strongest column", fontsize=9)
    return figure


def draw_cross_section(axes: Axes, snapshot: Snapshot, along: Along, at: int) -> AxesImage:
    """The phase of several slices cut along one axis at px `at` of the other, counted in the field of view, into axes,
    without a colour bar; the limits are those of all slices."""
    stack = phase_stack(snapshot)
    step, unit = steps(snapshot)
    (cut, width, across, name) = (stack[:, at], step[1], step[0], "y")
    if along == "y":
        (cut, width, across, name) = (stack[:, :, at], step[0], step[1], "x")
    depths, label = _depths(snapshot)
    bottom, top = _edges(depths)
    low, high = robust_limits(stack)
    extent = (0, cut.shape[1] * width, bottom, top)
    shown = axes.imshow(cut, cmap="gray", vmin=low, vmax=high, extent=extent, aspect="auto", interpolation="nearest")
    axes.set(xlabel=f"{along} ({unit})", ylabel=label)
    axes.set_title(f"at {name} = {(at + 0.5) * across:.3g} {unit}", fontsize=9)
    return shown


def strongest_column(stack: NDArray[Any]) -> tuple[int, int]:
    """The px (y, x) of a phase [z, y, x] whose sum over the slices is the largest."""
    y, x = np.unravel_index(int(np.argmax(stack.sum(axis=0))), stack.shape[1:])
    return int(y), int(x)


def _depths(snapshot: Snapshot) -> tuple[NDArray[np.float64], str]:
    """Of every slice, and what they are."""
    if snapshot.pixel_size is None:
        return np.arange(snapshot.state.object_phase.shape[1], dtype=float), "slice"
    return np.asarray(slice_depths(snapshot)), "depth (Å)"


def _edges(depths: NDArray[np.float64]) -> tuple[float, float]:
    """Lower and upper edge of a picture of all slices."""
    bottom, top = depths[-1] + (depths[-1] - depths[-2]) / 2, depths[0] - (depths[1] - depths[0]) / 2
    return float(bottom), float(top)
