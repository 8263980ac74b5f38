"""Pictures of the illumination: every mode in real and in Fourier space, brightness = amplitude, hue = phase."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import add_colorbar, new_figure, show_image
from ptycupy.outputs.region import steps
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 6
GAP = 0.03  # between modes in one panel, of a mode's width
ENOUGH = 0.97  # of the probe's power
NEARLY_ALL = 0.995  # in Fourier space, where what leaked out of the aperture must be seen
PARTS = (0.25, 0.35, 0.5, 0.7, 1.0)  # of a window's sides


def probe_figure(snapshot: Snapshot) -> Figure:
    """The modes [p, y, x] with their share of the power, each scaled to its own maximum; only the middle of the windows
    where that holds nearly all."""
    modes = len(snapshot.state.probe)
    columns = min(modes, COLUMNS)
    bands = math.ceil(modes / columns)
    figure = new_figure(max(1.9 * columns + 0.3, 4.2), 4.2 * bands + 0.9)
    panels = figure.subplots(2 * bands, columns, squeeze=False)
    for axes in panels.ravel():
        axes.set_axis_off()
    shares = []
    for row, fourier in enumerate((False, True)):
        waves, step, unit = probe_waves(snapshot, fourier=fourier)
        middle = lit_middle(waves, NEARLY_ALL if fourier else ENOUGH)
        shares.append(100 * (middle[0].stop - middle[0].start) / waves.shape[1])
        for mode, wave in enumerate(waves):
            band, column = divmod(mode, columns)
            show_image(panels[2 * band + row, column], colour_wave(wave[middle]), step, unit if mode == 0 else None)
    for mode in range(modes):
        panels[2 * (mode // columns), mode % columns].set_title(mode_title(snapshot, mode), fontsize=9)
    parts = f"the middle {shares[0]:.0f} % and {shares[1]:.0f} % of the windows' sides\n" if min(shares) < 100 else ""
    title = f"probe in real space above Fourier space\n{parts}brightness: amplitude, hue: phase"
    figure.suptitle(title, fontsize=9)
    return figure


def lit_middle(waves: NDArray[Any], enough: float = ENOUGH) -> tuple[slice, slice]:
    """The part of a window about its middle that has such a share of the power of waves [n, y, x], and some margin."""
    power = (np.abs(waves) ** 2).sum(axis=0, dtype=np.float64)
    height, width = power.shape
    for part in PARTS:
        rows, columns = max(1, round(height * part)), max(1, round(width * part))
        top, left = (height - rows) // 2, (width - columns) // 2
        middle = slice(top, top + rows), slice(left, left + columns)
        if power[middle].sum() >= enough * power.sum():
            break
    return middle


def probe_waves(snapshot: Snapshot, *, fourier: bool) -> tuple[NDArray[Any], tuple[float, float], str]:
    """The modes [p, y, x], or their Fourier transforms with zero frequency at n//2, the pixel size (y, x), its unit."""
    from scipy import fft

    probe = np.asarray(snapshot.state.probe, np.complex128)
    step, unit = steps(snapshot)
    if not fourier:
        return probe, step, unit
    transformed = fft.fftshift(fft.fft2(fft.ifftshift(probe, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))
    return transformed, (1 / (probe.shape[1] * step[0]), 1 / (probe.shape[2] * step[1])), f"1/{unit}"


def draw_modes(axes: Axes, snapshot: Snapshot, modes: Sequence[int], *, fourier: bool, colorbar: bool = True) -> None:
    """Modes in one panel, row by row, each scaled to its own maximum and with its share of the power; the colour bar
    tells the hues' phases."""
    waves, step, unit = probe_waves(snapshot, fourier=fourier)
    _, height, width = waves.shape
    columns = math.ceil(math.sqrt(len(modes)))
    rows = math.ceil(len(modes) / columns)
    gap = math.ceil(GAP * max(height, width))
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    box = {"facecolor": "black", "alpha": 0.45, "edgecolor": "none", "boxstyle": "round,pad=0.15"}
    for place, mode in enumerate(modes):
        row, column = divmod(place, columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = colour_wave(waves[mode])
        if len(modes) > 1:
            at = ((left + 0.04 * width) * step[1], (top + 0.04 * height) * step[0])
            axes.text(*at, mode_title(snapshot, mode), color="white", fontsize=8, ha="left", va="top", bbox=box)
    show_image(axes, sheet, step, unit, (0.0, 1.0))
    what = f"probe, {mode_title(snapshot, modes[0])}" if len(modes) == 1 else "probe modes"
    axes.set_title(f"{what}{', Fourier space' if fourier else ''}", fontsize=10)
    if colorbar:
        _add_hues(axes)


def _add_hues(axes: Axes) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    hues = ListedColormap(colour_wave(np.exp(1j * np.linspace(-np.pi, np.pi, 256))[None])[0])
    bar = add_colorbar(axes, ScalarMappable(Normalize(-np.pi, np.pi), hues), "phase (rad); brightness: amplitude")
    bar.set_ticks([-np.pi, -np.pi / 2, 0.0, np.pi / 2, np.pi], labels=["-π", "-π/2", "0", "π/2", "π"])


def mode_title(snapshot: Snapshot, mode: int) -> str:
    """Its number, counted from 1, and its share of the power."""
    return f"mode {mode + 1}: {100 * mode_powers(snapshot)[mode]:.3g} %"


def mode_powers(snapshot: Snapshot) -> NDArray[np.float64]:
    """Share of every probe mode in the power."""
    power: NDArray[np.float64] = (np.abs(snapshot.state.probe) ** 2).sum(axis=(1, 2), dtype=np.float64)
    return power / power.sum() if power.sum() > 0 else power


def colour_wave(wave: NDArray[Any]) -> NDArray[np.float64]:
    """RGB [y, x, 3] of a complex image: value |wave| / max, hue its phase."""
    from matplotlib.colors import hsv_to_rgb

    amplitude = np.abs(wave)
    value = amplitude / max(float(amplitude.max()), 1e-300)
    hue = (np.angle(wave) / (2 * np.pi)) % 1.0
    rgb: NDArray[np.float64] = hsv_to_rgb(np.stack([hue, np.full_like(value, 0.85), value], axis=-1))
    return rgb
