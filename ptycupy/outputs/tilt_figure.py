"""Tilts that differ from position to position, as a map of the scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure
from ptycupy.outputs.region import steps
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tilts_figure(snapshot: Snapshot) -> Figure:
    """The tilt about y and x in mrad at every used position; for a state with a tilt of its own at each."""
    step, unit = steps(snapshot)
    used = snapshot.used
    middle = np.asarray(snapshot.state.probe.shape[-2:]) // 2
    places = (np.asarray(snapshot.corners + snapshot.shifts, np.float64)[used] + middle) * step
    tilts = np.asarray(snapshot.state.tilts, np.float64)[used]
    figure = new_figure(9.0, 3.6, DPI_OF_MANY)
    for axes, values, name in zip(figure.subplots(1, 2), tilts.T, ("y", "x"), strict=True):
        dots = axes.scatter(places[:, 1], places[:, 0], c=values, s=12, cmap="RdBu_r", linewidths=0)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.set(xlabel=f"x ({unit})", ylabel=f"y ({unit})")
        axes.set_title(f"tilt {name}", fontsize=9)
        figure.colorbar(dots, ax=axes, label="mrad", shrink=0.85)
    return figure
