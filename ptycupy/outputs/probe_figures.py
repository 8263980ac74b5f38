"""Pictures of the illumination: every mode in real and in Fourier space, brightness = amplitude, hue = phase."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.canvas import new_figure, show_image
from ptycupy.outputs.region import steps
from ptycupy.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 6


def probe_figure(snapshot: Snapshot) -> Figure:
    """The modes [p, y, x] with their share of the power, each scaled to its own maximum."""
    from scipy import fft

    probe = np.asarray(snapshot.state.probe, np.complex128)
    fourier = fft.fftshift(fft.fft2(fft.ifftshift(probe, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))
    share = mode_powers(snapshot)
    (step_y, step_x), unit = steps(snapshot)
    step_k = (1 / (probe.shape[1] * step_y), 1 / (probe.shape[2] * step_x))
    columns = min(len(probe), COLUMNS)
    bands = math.ceil(len(probe) / columns)
    figure = new_figure(max(1.9 * columns + 0.3, 4.2), 4.2 * bands + 0.7)
    panels = figure.subplots(2 * bands, columns, squeeze=False)
    for axes in panels.ravel():
        axes.set_axis_off()
    for mode in range(len(probe)):
        band, column = divmod(mode, columns)
        real, reciprocal = panels[2 * band, column], panels[2 * band + 1, column]
        show_image(real, colour_wave(probe[mode]), (step_y, step_x), unit if mode == 0 else None)
        show_image(reciprocal, colour_wave(fourier[mode]), step_k, f"1/{unit}" if mode == 0 else None)
        real.set_title(f"mode {mode + 1}: {100 * share[mode]:.3g} %", fontsize=9)
    figure.suptitle("probe in real space above Fourier space\nbrightness: amplitude, hue: phase", fontsize=9)
    return figure


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
