"""Pictures of a reconstruction into axes of your own.

    figure, (left, right) = pyplot.subplots(1, 2)
    ptycupy.plot.phase(result, left)
    ptycupy.plot.loss(result, right)

They are drawn by what draws the pictures of a run folder and its report. `result` is a Result, a Snapshot, or an Engine
that is at work. Every function returns the axes that it drew into, which are matplotlib's; without `axes` it makes a
figure by pyplot, as notebooks want it. Lengths are angstrom, and px where the pixel size is unknown; phases rad. Images
of the object show the scanned field, of several object modes their mean, with a scale bar. Where axes are drawn into
again and again, as in a callback, say `axes.clear()` before and `colorbar=False`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.resolution import CRITERIA, RingCorrelation, Threshold
from ptycupy.errors import DataError
from ptycupy.outputs import chart_figures, object_figures, probe_figures
from ptycupy.outputs.canvas import add_colorbar, notebook_axes, show_image
from ptycupy.outputs.depth_figure import Along, draw_cross_section, strongest_column
from ptycupy.outputs.region import steps
from ptycupy.outputs.resolution_figures import Curve, draw_ring_correlation
from ptycupy.reconstruction.engine import Engine
from ptycupy.reconstruction.resume import take_snapshot
from ptycupy.storage.layouts import slice_depths
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from ptycupy.outputs.canvas import Axes

__all__ = [
    "amplitude",
    "cross_section",
    "image",
    "learning_rates",
    "loss",
    "phase",
    "phase_fft",
    "positions",
    "probe",
    "ring_correlation",
]


class HasSnapshot(Protocol):
    """A Result."""

    @property
    def snapshot(self) -> Snapshot: ...


Shown = HasSnapshot | Snapshot | Engine
Limits = tuple[float, float] | None


def phase(
    result: Shown, axes: Axes | None = None, *, slice: int | None = None, limits: Limits = None, colorbar: bool = True
) -> Axes:
    """The phase in rad, summed over slices, or of slice 0, 1, ...

    `limits` (low, high) in rad are black and white; by default nearly the whole range. DataError for a slice that is
    not there.
    """
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    image, title = object_figures.phase_sum(snapshot), f"phase{object_figures.over_slices(snapshot, 'sum')}"
    if slice is not None:
        stack = object_figures.phase_stack(snapshot)
        _require("slice", slice, len(stack))
        depth = "" if snapshot.pixel_size is None else f", z = {slice_depths(snapshot)[slice]:.4g} Å"
        image, title = stack[slice], f"phase of slice {slice + 1} of {len(stack)}{depth}"
    object_figures.draw_image(axes, snapshot, image, title, "rad", limits, colorbar=colorbar)
    return axes


def amplitude(result: Shown, axes: Axes | None = None, *, limits: Limits = None, colorbar: bool = True) -> Axes:
    """The amplitude of the transmission, multiplied over slices; `limits` (low, high) are black and white."""
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    title = f"amplitude{object_figures.over_slices(snapshot, 'product')}"
    image = object_figures.amplitude_product(snapshot)
    object_figures.draw_image(axes, snapshot, image, title, "", limits, colorbar=colorbar)
    return axes


def phase_fft(result: Shown, axes: Axes | None = None, *, limit: float | None = None, colorbar: bool = True) -> Axes:
    """log10 of the Fourier transform of the summed phase under a Hann window, up to the Nyquist frequency.

    Dashed rings stand at round frequencies and name their spacing. `limit` is a spacing in angstrom to mark, such as
    `result.information_limit_angstrom`.
    """
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    shown = object_figures.draw_spectrum(axes, snapshot, limit)
    if colorbar:
        add_colorbar(axes, shown, object_figures.SPECTRUM)
    return axes


def cross_section(
    result: Shown, axes: Axes | None = None, *, along: Along = "x", at: float | None = None, colorbar: bool = True
) -> Axes:
    """The phase of all slices in rad, cut along x or y, depth downwards.

    `at` is where the other axis is cut, in angstrom (px) from the edge of the picture that `phase` draws; by default
    through the strongest column. DataError for an object of one slice, or a place outside of it.
    """
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    if along not in ("x", "y"):
        raise DataError(f"along: {along!r} must be x or y")
    stack = object_figures.phase_stack(snapshot)
    if len(stack) == 1:
        raise DataError("cross_section: the object has one slice, which `phase` shows")
    axis = 0 if along == "x" else 1
    pixel = strongest_column(stack)[axis]
    if at is not None:
        (step, unit), size = (steps(snapshot)[0][axis], steps(snapshot)[1]), stack.shape[1 + axis]
        pixel = int(np.floor(at / step))
        if not 0 <= pixel < size:
            raise DataError(f"at: {at:g} {unit} is outside of the picture, which goes from 0 to {size * step:g} {unit}")
    shown = draw_cross_section(axes, snapshot, along, pixel)
    if colorbar:
        add_colorbar(axes, shown, "phase (rad)")
    return axes


def probe(
    result: Shown,
    axes: Axes | None = None,
    *,
    mode: int | None = None,
    fourier: bool = False,
    colorbar: bool = True,
) -> Axes:
    """The modes of the probe with their share of the power, or mode 0, 1, ... alone, in real or in Fourier space.

    Brightness is the amplitude, each mode to its own maximum, and hue the phase. DataError for a mode that is not
    there.
    """
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    modes = range(len(snapshot.state.probe))
    if mode is not None:
        _require("mode", mode, len(modes))
        modes = range(mode, mode + 1)
    probe_figures.draw_modes(axes, snapshot, modes, fourier=fourier, colorbar=colorbar)
    return axes


def loss(result: Shown, axes: Axes | None = None, *, terms: bool = False) -> Axes:
    """The loss over the iterations, or its terms with their weights; logarithmic where they span over a decade."""
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    draw = chart_figures.draw_loss_terms if terms else chart_figures.draw_loss
    draw(axes, snapshot.history)
    return axes


def learning_rates(result: Shown, axes: Axes | None = None) -> Axes:
    """The learning rates of all that is refined, over the iterations."""
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    chart_figures.draw_learning_rates(axes, snapshot.history)
    return axes


def positions(result: Shown, axes: Axes | None = None, *, colorbar: bool = True) -> Axes:
    """Where the probe was: the positions at the start in grey, and arrows to where they went, coloured by the distance.

    Arrows are drawn longer than they are, by the factor in the title, where the shifts are too small to be seen.
    """
    snapshot, axes = _snapshot(result), axes or notebook_axes()
    chart_figures.draw_positions(axes, snapshot, colorbar=colorbar)
    return axes


def ring_correlation(curves: RingCorrelation | Mapping[str, RingCorrelation], axes: Axes | None = None) -> Axes:
    """One Fourier ring correlation, or several of one pixel size and shape by name, with the half-bit and the 1/7
    criterion.

    The legend tells the resolution (a full period) by each criterion, of several curves by half a bit; the lines
    upwards stand where it is. DataError for curves of other frequencies than the first one's.
    """
    axes = axes or notebook_axes()
    named = {"correlation": curves} if isinstance(curves, RingCorrelation) else dict(curves)
    if not named:
        raise DataError("ring_correlation: there is no curve to draw")
    first = next(iter(named.values()))
    for name, curve in named.items():
        if not np.array_equal(_frequency(curve), _frequency(first)):
            raise DataError(f"ring_correlation: {name!r} has other frequencies than {next(iter(named))!r}")
    unit = "of Nyquist" if first.nyquist_inverse_angstrom is None else "1/Å"
    if len(named) == 1:
        correlations = [Curve(name, curve.correlation) for name, curve in named.items()]
        criteria = [_judged(name, first.threshold(kind), first, kind) for kind, name in CRITERIA]
    else:
        correlations = [_judged(name, curve.correlation, curve, CRITERIA[0][0]) for name, curve in named.items()]
        criteria = [Curve(name, first.threshold(kind)) for kind, name in CRITERIA]
    draw_ring_correlation(axes, _frequency(first), unit, correlations, criteria)
    return axes


def image(
    values: NDArray[Any],
    axes: Axes | None = None,
    *,
    pixel_size: float | tuple[float, float] | None = None,
    label: str = "",
    limits: Limits = None,
    cmap: str = "gray",
    colorbar: bool = True,
) -> Axes:
    """Any real image [y, x] as the other functions show theirs: a gradient, a difference, a truth.

    `pixel_size` in angstrom, scalar or (y, x), is for the scale bar; without it that is in px. `label` says what the
    colour bar shows, `limits` (low, high) are the ends of the colours `cmap`. DataError for another number of axes.
    """
    axes = axes or notebook_axes()
    if np.ndim(values) != 2:
        raise DataError(f"image: {np.shape(values)} must be an image [y, x]")
    step_y, step_x = np.broadcast_to(1.0 if pixel_size is None else pixel_size, (2,)).tolist()
    shown = show_image(axes, np.asarray(values), (step_y, step_x), "px" if pixel_size is None else "Å", limits, cmap)
    if colorbar:
        add_colorbar(axes, shown, label)
    return axes


def _snapshot(result: Shown) -> Snapshot:
    if isinstance(result, Engine):
        return take_snapshot(result, to_resume=False)
    return result if isinstance(result, Snapshot) else result.snapshot


def _require(what: str, number: int, count: int) -> None:
    if not 0 <= number < count:
        raise DataError(f"{what}: {number} is not there; the result has {count}, counted from 0")


def _frequency(curve: RingCorrelation) -> NDArray[np.float64]:
    known = curve.frequency_inverse_angstrom
    return curve.frequency if known is None else known


def _judged(name: str, values: NDArray[np.float64], curve: RingCorrelation, criterion: Threshold) -> Curve:
    """What is drawn of `curve` or of a criterion, with where the one falls below the other."""
    crossing = curve.crossing(criterion)
    if crossing >= 1:
        return Curve(f"{name}: up to Nyquist", values)
    resolution = curve.resolution_angstrom(criterion)
    found = f"{100 * crossing:.0f} % of Nyquist" if resolution is None else f"{resolution:.3g} Å"
    return Curve(f"{name}: {found}", values, float(np.interp(crossing, curve.frequency, _frequency(curve))))
