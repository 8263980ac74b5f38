"""Constraints on where in depth the object is."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.interface import Backend
from ptycupy.errors import ConfigError
from ptycupy.model.parameters import Parameters
from ptycupy.update.constraints.free_space import FreeSpace
from ptycupy.update.constraints.interface import Context

NEGLIGIBLE_SHIFT = 1e-3  # slices: interpolation would only blur the object


@dataclass(frozen=True)
class DepthRecentring:
    """The object's centre of mass brought to the middle of the slices, the probe propagated with it (PtyRAD's
    obj_z_recenter).

    thresh: percentile of the phase below which nothing counts as mass; scale: share of the distance that is moved;
    max_shift in slices. The transmission is shifted by its periodic Fourier interpolation; phases beyond pi stay
    unwrapped. A shift under 1e-3 slices leaves the object alone.
    """

    changes: ClassVar[tuple[str, ...]] = ("object_amplitude", "object_phase", "probe")
    reach: ClassVar[int] = 0

    thresh: float = 95.0
    scale: float = 1.0
    max_shift: float = 10.0
    relax: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.thresh <= 100:
            raise ConfigError(f"thresh: {self.thresh} must be a percentile, 0 to 100")

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        slices = parameters.slices
        if slices < 2:
            return
        masses = self._masses(backend, parameters, context)
        if not masses.sum() > 0:
            return
        centre = (masses * np.arange(slices)).sum() / masses.sum()
        limit = min(self.max_shift, (slices - 1) / 2)
        shift = (1 - self.relax) * float(np.clip(self.scale * ((slices - 1) / 2 - centre), -limit, limit))
        if shift == 0:
            return
        if abs(shift) >= NEGLIGIBLE_SHIFT:
            with backend.arena():
                taps = backend.asarray(shift_taps(slices, shift), backend.complex)
                backend.depth_shift(parameters.object_amplitude, parameters.object_phase, taps)
        space = FreeSpace.of("depth_recentring", backend, parameters.window, context)
        gap = float(backend.to_host(parameters.slice_thickness).mean())
        space.propagate(parameters.probe, -shift * gap)

    def _masses(self, backend: Backend, parameters: Parameters, context: Context) -> NDArray[np.float64]:
        """[z] sum of the phases that count."""
        phase = parameters.object_phase
        with backend.arena():
            mass = backend.empty(phase.shape, phase.dtype)
            backend.copy(mass, phase)
            backend.clamp(mass, 0.0, inf, 0.0)
            # What is at least the percentile is at least the value of the next whole rank.
            corner, canvas = context.whole(parameters)
            size = prod((*phase.shape[:2], *canvas))
            rank = size - ceil(self.thresh / 100 * (size - 1))
            backend.suppress(mass, context.ranked(backend, mass, rank, False))
            sums = context.plane_moments(backend, mass, corner, canvas)[:, 0]
            return np.asarray(sums.reshape(-1, parameters.slices).sum(axis=0), np.float64)


def shift_taps(n: int, shift: float) -> NDArray[np.complex128]:
    """Periodic convolution kernel [n] that shifts by `shift` samples: the Fourier shift theorem."""
    f, sample = np.fft.fftfreq(n), np.arange(n)
    return np.asarray(np.exp(2j * np.pi * f[:, None] * (sample - shift)).mean(axis=0), np.complex128)
