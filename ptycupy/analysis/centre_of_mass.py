"""What the centre of mass of each pattern tells: how the detector lies in the scan's frame, and a first phase image.

An electron is deflected along the gradient of the phase, so the field of the centres of mass has no curl if, and only
if, the axes of detector and scan agree (Lazic, Bosch and Lazar, Ultramicroscopy 160, 265 (2016), Eq. 16 and 25).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.scan import affine_matrix

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Turned:
    """One way in which the detector may lie, as data.orientation names it, and what speaks for it."""

    flip_y: bool
    flip_x: bool
    transpose: bool
    curl: float  # share of the field's power that has curl: 0 for a perfect one, 0.5 for noise
    skewness: float  # of the phase: positive where atoms are bright, which tells a turn by 180 degrees

    def __str__(self) -> str:
        names = [name for name in ("flip_y", "flip_x", "transpose") if getattr(self, name)]
        return ", ".join(names) or "as stored"


def centres_of_mass(patterns: NDArray[Any]) -> Float:
    """Centres of mass [n, 2] (y, x) of patterns [n, ky, kx] in px about the middle of the detector; nan where dark."""
    values = patterns.astype(np.float64)
    total = values.sum(axis=(1, 2))
    rows, columns = (np.arange(size) - size // 2 for size in values.shape[1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([(values.sum(axis=2) @ rows) / total, (values.sum(axis=1) @ columns) / total], axis=-1)


def oriented(field: Float, flip_y: bool, flip_x: bool, transpose: bool) -> Float:
    """A field [slow, fast, (y, x)] as it is once the patterns were turned: flips first, then the exchange of axes."""
    turned: Float = field * np.array([-1.0 if flip_y else 1.0, -1.0 if flip_x else 1.0])
    return turned[..., ::-1] if transpose else turned


def rotated(field: Float, degrees: float) -> Float:
    """A field [slow, fast, (y, x)] in the frame of a scan that is rotated by so much (scan.affine)."""
    return np.asarray(field @ affine_matrix(1.0, 0.0, degrees, 0.0).T, np.float64)


def curl_share(field: Float, steps: tuple[float, float] = (1.0, 1.0)) -> float:
    """Share of the power of a field [slow, fast, (y, x)], its mean apart, that is curl; 0 where nothing varies."""
    along, across = _parts(field, steps)
    curl, whole = np.sum(np.abs(across) ** 2), np.sum(np.abs(along) ** 2 + np.abs(across) ** 2)
    return float(curl / whole) if whole > 0 else 0.0


def scan_rotation(field: Float, steps: tuple[float, float] = (1.0, 1.0)) -> float:
    """Degrees, within 45 of 0, by which scan.affine.rotation_degrees takes the field's curl away."""
    along, across = _parts(field, steps)
    mixed = 2 * np.sum((along * across.conj()).real)
    excess = np.sum(np.abs(along) ** 2 - np.abs(across) ** 2)
    turn = 0.5 * math.degrees(math.atan2(mixed, excess))  # where |across cos - along sin|^2 is least
    return turn - 90 * round(turn / 90)


def rank_orientations(field: Float, steps: tuple[float, float] = (1.0, 1.0)) -> list[Turned]:
    """The eight flips and exchanges of axes, the likeliest first: the least curl, then the brighter atoms."""
    found = []
    for flip_y, flip_x, transpose in product((False, True), repeat=3):
        turned = oriented(field, flip_y, flip_x, transpose)
        curl = curl_share(turned, steps)
        found.append(Turned(flip_y, flip_x, transpose, curl, _skewness(phase_from(turned, steps))))
    return sorted(found, key=lambda one: (round(one.curl, 6), -one.skewness))  # two turns by 180 degrees curl alike


def phase_from(field: Float, steps: tuple[float, float] = (1.0, 1.0)) -> Float:
    """The image [slow, fast] whose gradient is nearest to the field (integrated centre of mass), of mean 0.

    In rad where the field is in 1/length and `steps` in that length. Periodic boundaries are taken for granted.
    """
    from scipy import fft

    along, _ = _parts(field, steps)
    qy, qx = _frequencies(field.shape[:2], steps)
    radius = np.hypot(qy, qx)
    radius[0, 0] = 1.0
    spectrum = along / (1j * radius)  # the gradient of exp(2 pi i q r) is 2 pi i q, and the field is gradient / 2 pi
    spectrum[0, 0] = 0
    return np.asarray(fft.ifft2(spectrum).real, np.float64)


def filled(field: Float) -> Float:
    """The field with its mean where a pattern was dark."""
    bad = np.isnan(field).any(axis=-1, keepdims=True)
    if bad.all():
        return np.zeros_like(field)
    return np.where(bad, np.nanmean(field, axis=(0, 1)), field)


def _frequencies(shape: tuple[int, ...], steps: tuple[float, float]) -> tuple[Float, Float]:
    qy, qx = (np.fft.fftfreq(n, step) for n, step in zip(shape, steps, strict=True))
    return np.meshgrid(qy, qx, indexing="ij")


def _parts(field: Float, steps: tuple[float, float]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The field's spectrum along its wave vectors (gradient) and across them (curl); none at zero frequency."""
    from scipy import fft

    y, x = (fft.fft2(field[..., axis] - field[..., axis].mean()) for axis in (0, 1))
    qy, qx = _frequencies(field.shape[:2], steps)
    radius = np.hypot(qy, qx)
    radius[0, 0] = 1.0
    return (qy * y + qx * x) / radius, (qy * x - qx * y) / radius


def _skewness(image: Float) -> float:
    spread = image.std()
    return float(np.mean(((image - image.mean()) / spread) ** 3)) if spread > 0 else 0.0
