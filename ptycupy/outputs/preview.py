"""preview.png: a run at a glance while it is under way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptycupy.outputs.canvas import figure_png, new_figure, show_image
from ptycupy.outputs.chart_figures import draw_loss
from ptycupy.outputs.object_figures import draw_spectrum, over_slices, phase_sum
from ptycupy.outputs.probe_figures import colour_wave, mode_powers
from ptycupy.outputs.region import steps
from ptycupy.storage.atomic import replace_quickly
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80
MOST_MODES = 5


def write_preview(path: Path, snapshot: Snapshot) -> None:
    """Replaces the picture at `path` at once; raises OSError where that cannot be done."""
    replace_quickly(path, figure_png(preview_figure(snapshot)))


def preview_figure(snapshot: Snapshot) -> Figure:
    """Phase, its Fourier transform, the probe's strongest modes with their power, and the loss."""
    figure = new_figure(12.0, 7.2, DPI)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.45, 1))
    large, small = halves
    phase = large.subplots()
    step, unit = steps(snapshot)
    shown = show_image(phase, phase_sum(snapshot), step, unit)
    phase.set_title(f"phase{over_slices(snapshot, 'sum')}", fontsize=10)
    large.colorbar(shown, ax=phase, label="rad", shrink=0.85, pad=0.02)
    above, middle, below = small.subfigures(3, 1, height_ratios=(1.5, 0.6, 0.85))
    draw_spectrum(above.subplots(), snapshot)
    share = mode_powers(snapshot)
    strongest = np.argsort(-share, kind="stable")[:MOST_MODES]
    for axes, mode in zip(middle.subplots(1, len(strongest), squeeze=False)[0], strongest, strict=True):
        show_image(axes, colour_wave(snapshot.state.probe[mode]), step, unit if mode == strongest[0] else None)
        axes.set_title(f"{mode + 1}: {100 * share[mode]:.2g} %", fontsize=8)
    curves = below.subplots()
    if snapshot.history.iterations:
        draw_loss(curves, snapshot.history)
    else:
        curves.set_axis_off()
    figure.suptitle(f"iteration {snapshot.iteration}", fontsize=11)
    return figure
