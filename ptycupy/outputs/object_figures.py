"""Pictures of the object: phase summed and per slice, amplitude, Fourier transform of the phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.spaced import evenly_spaced
from ptycupy.outputs.canvas import DPI_OF_MANY, add_colorbar, figure_size, new_figure, robust_limits, show_image
from ptycupy.outputs.region import mean_mode, shown_region, steps
from ptycupy.outputs.scalebar import round_length
from ptycupy.storage.layouts import slice_depths
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

MOST_SLICES = 25
SPECTRUM = "log10 magnitude"  # what the colours of a spectrum are


def phase_sum_figure(snapshot: Snapshot) -> Figure:
    """The phase summed over slices, rad, within the field of view."""
    return _one_image(snapshot, phase_sum(snapshot), f"phase{over_slices(snapshot, 'sum')}", "rad")


def amplitude_figure(snapshot: Snapshot) -> Figure:
    """The amplitude multiplied over slices, within the field of view."""
    image = amplitude_product(snapshot)
    return _one_image(snapshot, image, f"amplitude{over_slices(snapshot, 'product')}", "")


def phase_slices_figure(snapshot: Snapshot) -> Figure:
    """Every slice's phase on one colour scale; of more than 25 slices, 25 evenly spaced ones."""
    stack = phase_stack(snapshot)
    depths, (step, unit) = slice_depths(snapshot), steps(snapshot)
    chosen = evenly_spaced(len(stack), MOST_SLICES)
    columns = math.ceil(math.sqrt(len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    height, width = figure_size(stack.shape[1] * step[0], stack.shape[2] * step[1], 9.0 / columns)
    figure = new_figure(
        width * columns + 1.2, (height + 0.2) * rows + (0.3 if len(chosen) < len(stack) else 0), DPI_OF_MANY
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    limits = robust_limits(stack[chosen])
    for axes, index in zip(panels, chosen, strict=False):
        shown = show_image(axes, stack[index], step, unit if index == 0 else None, limits)
        depth = f", z = {depths[index]:.4g} Å" if snapshot.pixel_size else ""
        axes.set_title(f"slice {index + 1}{depth}", fontsize=8)
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    figure.colorbar(shown, ax=list(panels), label="phase (rad)", shrink=0.8, pad=0.015)
    if len(chosen) < len(stack):
        figure.suptitle(f"{len(chosen)} of {len(stack)} slices", fontsize=10)
    return figure


def phase_fft_figure(snapshot: Snapshot, limit: float | None = None) -> Figure:
    """log10 of the windowed Fourier transform of the summed phase, with rings at round spacings and, where it is known,
    at the information limit (a period in angstrom)."""
    figure = new_figure(6.6, 6.0, DPI_OF_MANY)
    axes = figure.subplots()
    add_colorbar(axes, draw_spectrum(axes, snapshot, limit), SPECTRUM)
    return figure


def draw_spectrum(axes: Axes, snapshot: Snapshot, limit: float | None = None) -> AxesImage:
    """What `phase_fft_figure` shows, into axes, without its colour bar."""
    from matplotlib.patches import Circle

    step, unit = steps(snapshot)
    logarithm, (low, high) = log_spectrum(phase_sum(snapshot))
    edge_y, edge_x = 0.5 / step[0], 0.5 / step[1]
    extent = (-edge_x, edge_x, edge_y, -edge_y)
    shown = axes.imshow(logarithm, cmap="inferno", vmin=low, vmax=high, extent=extent)
    _rings(axes, min(edge_y, edge_x), unit)
    axes.set_xlabel(f"spatial frequency (1/{unit})")
    axes.set_ylabel(f"spatial frequency (1/{unit})")
    axes.set_title("Fourier transform of the phase (Hann window)", fontsize=10)
    if limit is not None:
        axes.add_patch(Circle((0, 0), 1 / limit, fill=False, color="cyan", lw=1.2))
        axes.plot([], [], color="cyan", lw=1.2, label=f"information limit {limit:.3f} {unit}")
        axes.legend(fontsize=8, loc="upper left")
    return shown


def log_spectrum(image: NDArray[Any]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """log10 of the windowed spectrum of an image, and limits between which it is worth looking at."""
    spectrum = windowed_spectrum(image)
    logarithm = np.log10(np.maximum(spectrum, spectrum.max(initial=1e-30) * 1e-12))
    return logarithm, (float(np.percentile(logarithm, 20)), float(np.percentile(logarithm, 99.95)))


def phase_sum(snapshot: Snapshot) -> NDArray[Any]:
    """The phase [y, x] in rad summed over slices, occupancy-weighted over modes, in the field of view."""
    image: NDArray[Any] = phase_stack(snapshot).sum(axis=0)
    return image


def phase_stack(snapshot: Snapshot) -> NDArray[Any]:
    """The phase [z, y, x] in rad of every slice, occupancy-weighted over modes, in the field of view."""
    rows, columns = shown_region(snapshot)
    return mean_mode(snapshot, snapshot.state.object_phase)[:, rows, columns]


def amplitude_product(snapshot: Snapshot) -> NDArray[Any]:
    """The amplitude [y, x] multiplied over slices, occupancy-weighted over modes, in the field of view."""
    rows, columns = shown_region(snapshot)
    stack = mean_mode(snapshot, snapshot.state.object_amplitude)[:, rows, columns]
    image: NDArray[Any] = stack.prod(axis=0)
    return image


def windowed_spectrum(image: NDArray[Any]) -> NDArray[np.float64]:
    """|FFT| [ky, kx] of an image under a Hann window after its mean is removed, zero frequency at n//2."""
    from scipy import fft

    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in image.shape))
    spectrum: NDArray[np.float64] = np.abs(fft.fftshift(fft.fft2((image - image.mean()) * window)))
    return spectrum


def _rings(axes: Axes, edge: float, unit: str) -> None:
    """Dashed circles at three round frequencies, labelled with the distance d that they stand for."""
    from matplotlib.patches import Circle

    box = {"facecolor": "black", "alpha": 0.5, "edgecolor": "none", "boxstyle": "round,pad=0.1"}
    step = round_length(edge)  # at most 30 % of the edge, so that three of them fit
    for frequency in (step, 2 * step, 3 * step):
        axes.add_patch(Circle((0, 0), frequency, fill=False, color="white", lw=0.7, ls="--", alpha=0.7))
        corner = frequency * math.sqrt(0.5)
        text = f"{1 / frequency:.3g} {unit}"
        axes.text(corner, -corner, text, color="white", fontsize=8, ha="center", va="center", bbox=box)


def _one_image(snapshot: Snapshot, image: NDArray[Any], title: str, unit_of_values: str) -> Figure:
    step, _ = steps(snapshot)
    height, width = figure_size(image.shape[0] * step[0], image.shape[1] * step[1])
    figure = new_figure(width + 1.1, height + 0.4)
    draw_image(figure.subplots(), snapshot, image, title, unit_of_values)
    return figure


def draw_image(
    axes: Axes,
    snapshot: Snapshot,
    image: NDArray[Any],
    title: str,
    unit_of_values: str,
    limits: tuple[float, float] | None = None,
    *,
    colorbar: bool = True,
) -> None:
    """An image [y, x] of the object with its scale bar, title and colour bar, into axes."""
    shown = show_image(axes, image, *steps(snapshot), limits)
    axes.set_title(title, fontsize=10)
    if colorbar:
        add_colorbar(axes, shown, unit_of_values)


def over_slices(snapshot: Snapshot, operation: str) -> str:
    """The part of a title that says what became of slices and modes."""
    modes, slices = snapshot.state.object_phase.shape[:2]
    text = f", {operation} of {slices} slices" if slices > 1 else ""
    return text + (f", mean of {modes} object modes" if modes > 1 else "")
