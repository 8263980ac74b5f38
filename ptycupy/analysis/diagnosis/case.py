"""What every check is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.region import mean_mode
from ptycupy.storage.snapshot import Snapshot


@dataclass(frozen=True)
class Finding:
    """Something that is probably wrong, and how it is mended."""

    what: str  # with the numbers that say so
    remedy: str  # a line of the configuration, or what to do

    def __str__(self) -> str:
        return f"{self.what}; try {self.remedy}"


@dataclass(frozen=True)
class Observed:
    """What the measured patterns say."""

    centres: NDArray[np.float64] | None  # [slow, fast, (y, x)] px, of a raster's part; None where there is no raster
    mean_pattern: NDArray[np.float64]  # [ky, kx], beam in the centre
    orientation: tuple[bool, bool, bool] = (False, False, False)  # flip_y, flip_x, transpose of the configuration
    convergence_angle: float | None = None  # mrad
    rotation_degrees: float = 0.0  # scan.affine's
    saturated: int = 0  # pixels that count although they stand at the detector's largest value


@dataclass(frozen=True)
class Case:
    """A finished reconstruction and what was measured."""

    snapshot: Snapshot
    observed: Observed | None

    @cached_property
    def phase(self) -> NDArray[np.float64]:
        """[z, y, x] rad in the field of view, the mean of object modes by their occupancy."""
        rows, columns = self.snapshot.field_of_view()
        stack = mean_mode(self.snapshot, self.snapshot.state.object_phase[:, :, rows, columns])
        return np.asarray(stack, np.float64)

    @cached_property
    def moved(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions [n, 2] px of the used patterns, in their order, at the start and now."""
        used = self.snapshot.used
        start = np.asarray(self.snapshot.initial_positions, np.float64)[used]
        return start, np.asarray(self.snapshot.corners + self.snapshot.shifts, np.float64)[used]

    @property
    def thickness(self) -> NDArray[np.float64]:
        """Slice thicknesses in angstrom, of every gap between slices."""
        gaps = max(self.snapshot.state.object_phase.shape[1] - 1, 0)
        return np.broadcast_to(np.asarray(self.snapshot.state.slice_thickness, np.float64), (gaps,))
