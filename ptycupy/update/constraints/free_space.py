"""Free space between planes of the probe, for constraints that look at it elsewhere than in its own plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.propagation import propagation_tables
from ptycupy.update.constraints.interface import Context


@dataclass(frozen=True)
class FreeSpace:
    """Propagation of waves [p, y, x] over any distance, without tilt and without the carrier phase."""

    backend: Backend
    tables: tuple[Array, Array, Array, Array]  # base, aperture [y, x], ky [y], kx [x]
    tilts: Array  # [1, 2] zeros

    @classmethod
    def of(cls, name: str, backend: Backend, window: tuple[int, int], context: Context) -> FreeSpace:
        """ConfigError, in the name of a constraint, where lengths are unknown."""
        if context.pixel_size is None or context.wavelength is None:
            raise ConfigError(f"constraint {name}: propagation needs pixel_size and wavelength in angstrom")
        found = propagation_tables(window, context.pixel_size, context.wavelength, context.propagator)
        base, aperture, ky, kx = (
            backend.asarray(table.astype(backend.real)) for table in (found.base, found.aperture, found.ky, found.kx)
        )
        return cls(backend, (base, aperture, ky, kx), backend.zeros((1, 2), backend.real))

    def propagate(self, waves: Array, distance: float) -> None:
        """waves [p, y, x] in the plane `distance` angstrom downstream, in place."""
        with self.backend.arena():
            gap = self.backend.asarray(np.full(1, distance), self.backend.real)
            transfer = self.backend.transfer_forward(self.tilts, gap, *self.tables)
            moved, _ = self.backend.propagate_forward(waves.reshape(1, 1, *waves.shape), transfer, 0, False)
            self.backend.copy(waves, moved.reshape(waves.shape))
