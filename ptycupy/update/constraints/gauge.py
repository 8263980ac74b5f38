"""What the patterns cannot tell: changes of probe, object and positions that leave every pattern as it is.

Each removes one freedom that noise, or the other constraints, would let drift. `relax` is the share of it that is left;
whatever its value, the patterns stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.model.parameters import Parameters
from ptycupy.update.constraints.interface import Context


def add_to_rows(backend: Backend, table: Array, row: tuple[float, float]) -> None:
    """table [N, 2] += row: as an image of two columns, minus a ramp from -row[0] to -row[1]."""
    backend.subtract_ramp(table.reshape(1, -1, 2), -row[0], (0.0, row[0] - row[1]), (0.0, 0.0))


@dataclass(frozen=True)
class ProbeCentring:
    """The probe's centre of mass brought to the middle of its window; the shifts of all positions take the move back.

    Not with position_recentring, which takes away what the shifts take back.
    """

    changes: ClassVar[tuple[str, ...]] = ("probe", "shifts")

    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        probe = parameters.probe
        with backend.arena():
            power, along_y, along_x, _ = backend.to_host(backend.wave_moments(probe)).sum(axis=0)
            if not power > 0:
                return
            height, width = parameters.window
            rest = 1 - self.relax
            off = (rest * float(along_y / power - height // 2), rest * float(along_x / power - width // 2))
            moved, _ = backend.shift_forward(probe, backend.asarray(-np.array([off]), backend.real))
            backend.copy(probe, moved.reshape(probe.shape))
        add_to_rows(backend, parameters.shifts, off)


@dataclass(frozen=True)
class PhaseRampRemoval:
    """The mean slope of the object's phase over the scanned field removed from every slice, and put on the probe.

    Object exp(i g r) and probe exp(-i g r) cancel but for a phase per position. A wave that is tilted by A on its way
    through the slices would also be displaced: tilts of A wavelength / 2 pi take that back in the mean over the gaps.
    One slice keeps its patterns exactly, many keep them for slopes of the object of up to about a milliradian.
    """

    changes: ClassVar[tuple[str, ...]] = ("object_phase", "probe", "tilts")
    reach: ClassVar[int] = 0

    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        corner, shape = context.scanned(backend, parameters)
        phase = parameters.object_phase
        planes = phase.reshape(-1, *parameters.canvas)
        with backend.arena():
            moments = context.plane_moments(backend, phase, corner, shape).mean(axis=0)
        rest = 1 - self.relax
        # Linear regression over a box: sum of (y - y0)^2 over h rows is h (h^2 - 1) / 12.
        squares = [max(1, n * (n**2 - 1)) / 12 * m for n, m in zip(shape, shape[::-1], strict=True)]
        slope_y, slope_x = (rest * float(m / s) for m, s in zip(moments[1:], squares, strict=True))
        centre = (corner[0] + (shape[0] - 1) / 2, corner[1] + (shape[1] - 1) / 2)
        backend.subtract_ramp(planes, 0.0, (slope_y, slope_x), centre)
        slices, (height, width) = parameters.slices, parameters.window
        middle = (float(height // 2), float(width // 2))
        backend.modulate(parameters.probe, (slices * slope_y, slices * slope_x), middle)
        if slices > 1 and context.pixel_size is not None and context.wavelength is not None:
            # From slice n to n + 1 the wave now has the slopes of the z - 1 - n slices to come: z / 2 in the mean.
            factor = 1e3 * context.wavelength / (2 * math.pi) * slices / 2
            y_size, x_size = context.pixel_size
            add_to_rows(backend, parameters.tilts, (factor * slope_y / y_size, factor * slope_x / x_size))


@dataclass(frozen=True)
class ProbeObjectAmbiguity:
    """The mean amplitude of every slice over the scanned field brought to 1, and the probe multiplied by what it was.

    The scale between probe and object is free, unless the one or the other is held: fixed_probe_intensity, which runs
    later, would take the probe's share away again.
    """

    changes: ClassVar[tuple[str, ...]] = ("object_amplitude", "probe")
    reach: ClassVar[int] = 0

    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        corner, shape = context.scanned(backend, parameters)
        amplitude, slices = parameters.object_amplitude, parameters.slices
        with backend.arena():
            sums = context.plane_moments(backend, amplitude, corner, shape)
            means = sums[:, 0].reshape(-1, slices).mean(axis=0) / (shape[0] * shape[1])
        if not (means > 0).all():
            return
        factors = means ** (1 - self.relax)
        for mode in amplitude:
            for plane, factor in zip(mode, factors, strict=True):
                backend.scale(plane, float(1 / factor))
        backend.scale(parameters.probe, float(np.prod(factors)))
