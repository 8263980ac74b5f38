"""What an earlier reconstruction found, of this program or another, in one set of conventions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import DataError
from ptycupy.experiment.optics import xray_wavelength

Float = NDArray[np.float64]
METRE = 1e10  # angstrom


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
    wavelength: float | None = None  # angstrom

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


def from_metres(
    path: str,
    program: str,
    values: NDArray[Any],
    probe: NDArray[Any],
    middles: NDArray[Any] | None,
    *,
    pixel_size: tuple[float | None, float | None],
    centre: tuple[float | None, float | None],
    spacing: NDArray[Any] | None,
    photon_kev: float | None,
) -> Earlier:
    """A complex object (z, y, x), a probe (coherent, incoherent, y, x) or fewer axes, and middles (N, 2) (y, x) of
    windows, (n - 1)/2 px from their corners, about the point `centre` that the object's middle has (0 if None)."""
    for what, array, most in (("object", values, 3), ("probe", probe, 4)):
        if array.dtype.kind != "c" or not 2 <= array.ndim <= most:
            raise DataError(f"{path}: {what} {array.shape} {array.dtype}: {program} has complex numbers (.., y, x)")
    amplitude, phase = split(four_axes(values, path))
    modes = probe_modes(probe[0] if probe.ndim == 4 else probe, path)
    window = (modes.shape[1], modes.shape[2])
    y, x = pixel_size
    size = None if y is None or x is None or min(y, x) <= 0 else (y, x)
    positions = None
    if middles is not None and size is not None:
        origin = np.array([side or 0.0 for side in centre])
        inside = (paired(middles, path) - origin) / size + (np.asarray(amplitude.shape[-2:]) - 1) / 2
        positions = inside - (np.asarray(window) - 1) / 2
    return Earlier(
        path=path,
        program=program,
        amplitude=amplitude,
        phase=phase,
        probe=modes,
        positions=positions,
        window=window,
        slice_thickness=None if spacing is None else np.ravel(spacing).astype(np.float64) * METRE,
        pixel_size=None if size is None else (size[0] * METRE, size[1] * METRE),
        wavelength=None if photon_kev is None or photon_kev <= 0 else xray_wavelength(photon_kev),
    )
