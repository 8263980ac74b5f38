"""What an earlier reconstruction found, of this program or another, in one set of conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Earlier:
    """Each part is None where the file has none. Positions are top-left corners of the file's own probe window, in px
    of the file's own object from its first pixel."""

    path: str
    program: str
    amplitude: NDArray[np.float32] | None = None  # (omode, z, y, x)
    phase: NDArray[np.float32] | None = None  # (omode, z, y, x) rad, not wrapped where the file stores it apart
    probe: NDArray[np.complex128] | None = None  # (pmode, y, x), centred
    positions: Float | None = None  # (N, 2) px (y, x)
    window: tuple[int, int] | None = None  # px (y, x) that the positions refer to
    tilts: Float | None = None  # (1|N, 2) mrad (y, x)
    slice_thickness: Float | None = None  # () or (z-1,) angstrom
    pixel_size: tuple[float, float] | None = None  # angstrom (y, x)

    def require(self, part: str, asked_by: str) -> Any:
        """The part of this name; DataError where the file has none, or one with values that are not finite."""
        value = getattr(self, part)
        if value is None:
            raise DataError(f"{asked_by}: {self.path}: this {self.program} file holds no {part.replace('_', ' ')}")
        if not np.isfinite(value).all():
            raise DataError(f"{asked_by}: {self.path}: {np.count_nonzero(~np.isfinite(value))} values are not finite")
        return value


def split(transmission: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Amplitude and phase of a complex transmission."""
    return np.abs(transmission).astype(np.float32), np.angle(transmission).astype(np.float32)


def four_axes(values: NDArray[Any], name: str) -> NDArray[Any]:
    """An object (y, x), (z, y, x) or (omode, z, y, x) with all four axes."""
    if not 2 <= values.ndim <= 4:
        raise DataError(f"{name}: an object of shape {values.shape}; (y, x), (z, y, x) or (mode, z, y, x) is needed")
    return values.reshape((1,) * (4 - values.ndim) + values.shape)


def probe_modes(values: NDArray[Any], name: str) -> NDArray[np.complex128]:
    """Probe modes (mode, y, x) of an array (y, x), (mode, y, x), or of real and imaginary parts on the last axis."""
    if values.ndim == 4 and values.shape[-1] == 2 and values.dtype.kind == "f":
        values = values[..., 0] + 1j * values[..., 1]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise DataError(f"{name}: a probe of shape {values.shape}; (y, x) or (mode, y, x) is needed")
    return values.astype(np.complex128)


def paired(values: NDArray[Any], name: str, what: str = "positions") -> Float:
    """Positions or tilts [N, 2] of an array whose last axis is (y, x)."""
    if values.ndim < 1 or values.shape[-1] != 2 or values.dtype.kind not in "iuf":
        raise DataError(f"{name}: {what} of shape {values.shape} {values.dtype}; numbers (N, 2), (y, x), are needed")
    return values.reshape(-1, 2).astype(np.float64)
