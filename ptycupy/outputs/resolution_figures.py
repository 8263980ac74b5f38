"""Pictures of the resolution: Fourier ring correlation, and how far single atoms spread along the beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import DPI_OF_MANY, new_figure, show_image
from ptycupy.outputs.object_figures import phase_sum
from ptycupy.outputs.region import steps
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
COLOURS = ("tab:red", "tab:blue", "tab:green", "tab:orange", "tab:purple")


@dataclass(frozen=True)
class Curve:
    """Something by spatial frequency."""

    name: str
    values: Floats  # [n] at every ring
    crossing: float | None = None  # the frequency to mark; None for none


def draw_ring_correlation(
    axes: Axes, frequency: Floats, unit: str, correlations: Sequence[Curve], criteria: Sequence[Curve]
) -> None:
    """Correlations by frequency [n] in `unit`, one of them in black and several in colours, and what judges them."""
    several = len(correlations) > 1
    for curve, colour in zip(correlations, cycle(COLOURS if several else ("black",)), strict=False):
        axes.plot(frequency, curve.values, color=colour, lw=1.6, label=curve.name)
        _mark(axes, curve, colour)
    greys = cycle(("0.4",) if several else COLOURS)
    for curve, colour, dashes in zip(criteria, greys, cycle(("--", ":")), strict=False):
        axes.plot(frequency, curve.values, color=colour, lw=1.1, ls=dashes, label=curve.name)
        _mark(axes, curve, colour)
    lowest = min(float(curve.values.min()) for curve in correlations)
    axes.set(xlim=(0, frequency[-1]), ylim=(min(-0.1, lowest), 1.05))
    axes.set(xlabel=f"spatial frequency ({unit})", ylabel="correlation")
    axes.set_title("Fourier ring correlation of the summed phase", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower left")


def _mark(axes: Axes, curve: Curve, colour: str) -> None:
    if curve.crossing is not None:
        axes.axvline(curve.crossing, color=colour, lw=0.8, alpha=0.6)


def depth_resolution_figure(snapshot: Snapshot, places: Floats, widths: Floats) -> Figure:
    """Where atoms are [n, 2] px (y, x) in the field, coloured by their FWHM [n] along the beam in angstrom, and how the
    latter are distributed."""
    figure = new_figure(9.5, 3.6, DPI_OF_MANY)
    image, histogram = figure.subplots(1, 2, width_ratios=(1, 1.2))
    step, unit = steps(snapshot)
    show_image(image, phase_sum(snapshot), step, unit)
    middles: Floats = (places + 0.5) * step
    dots = image.scatter(middles[:, 1], middles[:, 0], c=widths, s=26, cmap="viridis", edgecolors="white", lw=0.6)
    figure.colorbar(dots, ax=image, label="FWHM (Å)", shrink=0.9, pad=0.02)
    image.set_title("atoms, by their extent along the beam", fontsize=9)
    mean, deviation = float(widths.mean()), float(widths.std(ddof=1))
    histogram.hist(widths, bins=max(6, round(1.5 * np.sqrt(len(widths)))), color="0.6", edgecolor="white")
    histogram.axvline(mean, color="tab:red", lw=1.3)
    histogram.axvspan(mean - deviation, mean + deviation, color="tab:red", alpha=0.12, lw=0)
    histogram.set(xlabel="full width at half maximum along the beam (Å)", ylabel="atoms")
    histogram.set_title(f"{mean:.2f} ± {deviation:.2f} Å, {len(widths)} atoms", fontsize=9)
    return figure
