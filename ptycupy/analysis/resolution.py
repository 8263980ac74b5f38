"""Resolution by Fourier ring correlation of two independent reconstructions, such as of even and odd positions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.planes import without_plane
from ptycupy.analysis.registration import fourier_shift, registration_shift
from ptycupy.errors import DataError

SMALLEST = 16  # px
Threshold = float | Literal["half_bit", "one_sigma"]
CRITERIA: tuple[tuple[Threshold, str], ...] = (("half_bit", "half bit"), (1 / 7, "1/7"))  # those that are shown


@dataclass(frozen=True)
class RingCorrelation:
    """A Fourier ring correlation curve; rings ordered from low to high frequency, the zero frequency left out."""

    frequency: NDArray[np.float64]  # [n] middle of the ring as a fraction of the Nyquist frequency
    correlation: NDArray[np.float64]  # [n] -1..1
    count: NDArray[np.int64]  # [n] Fourier pixels in the ring
    nyquist_inverse_angstrom: float | None  # None without a pixel size
    shift_px: tuple[float, float]  # how the second image was moved (y, x)

    @property
    def frequency_inverse_angstrom(self) -> NDArray[np.float64] | None:
        """[n] 1/angstrom; None without a pixel size."""
        return None if self.nyquist_inverse_angstrom is None else self.frequency * self.nyquist_inverse_angstrom

    def threshold(self, kind: Threshold) -> NDArray[np.float64]:
        """[n] the criterion at every ring: a constant, or a curve of van Heel & Schatz, J. Struct. Biol. 151 (2005)."""
        if kind == "half_bit":
            root = np.sqrt(self.count)
            return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
        if kind == "one_sigma":
            return np.minimum(1 / np.sqrt(self.count / 2), 1.0)  # half of a ring repeats the other half
        if isinstance(kind, str):
            raise ValueError(f"threshold {kind!r}: must be a number, 'half_bit' or 'one_sigma'")
        return np.full(len(self.frequency), float(kind))

    def crossing(self, kind: Threshold = 0.5) -> float:
        """The fraction of Nyquist at which the curve first falls below the criterion; 1 where it never does."""
        margin = self.correlation - self.threshold(kind)
        below = np.flatnonzero(margin < 0)
        if below.size == 0:
            return 1.0
        after = int(below[0])
        if after == 0:
            return float(self.frequency[0])
        before = after - 1
        part = margin[before] / (margin[before] - margin[after])
        return float(self.frequency[before] + part * (self.frequency[after] - self.frequency[before]))

    def resolution_angstrom(self, kind: Threshold = 0.5) -> float | None:
        """The distance 1/frequency at the crossing (a full period), angstrom; None without a pixel size."""
        if self.nyquist_inverse_angstrom is None:
            return None
        return 1 / (self.crossing(kind) * self.nyquist_inverse_angstrom)


def fourier_ring_correlation(
    first: NDArray[Any],
    second: NDArray[Any],
    pixel_size: float | tuple[float, float] | None = None,
    register: bool = False,
) -> RingCorrelation:
    """FRC of two real images [y, x] of one shape, each without its plane and under a Hann window.

    `pixel_size` in angstrom, scalar or (y, x); with `register` the second image is first moved onto the first to
    0.01 px and both lose the rim that came in. Rings are one Fourier pixel of the shorter side wide. Raises
    DataError for images of different shapes, smaller than 16 px, or not finite.
    """
    from scipy import fft

    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < SMALLEST:
        raise DataError(
            f"Fourier ring correlation of images {first.shape} and {second.shape}: needs one shape [y, x], "
            f"at least {SMALLEST} px each way"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise DataError("Fourier ring correlation of images that hold NaN or infinite pixels")
    one, other, shift = without_plane(first), without_plane(second), (0.0, 0.0)
    if register:
        one, other, shift = _register(one, other)
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in one.shape))
    spectrum, other_spectrum = fft.fft2(one * window), fft.fft2(other * window)
    step_y, step_x = np.broadcast_to(np.asarray(1.0 if pixel_size is None else pixel_size, float), (2,))
    frequency_y, frequency_x = fft.fftfreq(one.shape[0], step_y), fft.fftfreq(one.shape[1], step_x)
    nyquist = 0.5 / max(step_y, step_x)  # of the coarser axis: further out rings are not closed
    radius = np.hypot(frequency_y[:, None], frequency_x) / nyquist
    rings = max(min(n for n in one.shape) // 2, 1)
    number = np.rint(radius * rings).astype(int)
    kept = (number >= 1) & (number <= rings)

    def ring_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(number[kept], values[kept], rings + 1)[1:].astype(np.float64)

    shared = ring_sums((spectrum * np.conj(other_spectrum)).real)
    power = ring_sums(np.abs(spectrum) ** 2) * ring_sums(np.abs(other_spectrum) ** 2)
    count = np.bincount(number[kept], minlength=rings + 1)[1:]
    return RingCorrelation(
        frequency=np.arange(1, rings + 1) / rings,
        correlation=np.divide(shared, np.sqrt(power), out=np.zeros(rings), where=power > 0),
        count=count,
        nyquist_inverse_angstrom=None if pixel_size is None else float(nyquist),
        shift_px=shift,
    )


def _register(
    one: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    shift = registration_shift(one, other, upsample=100)
    moved = fourier_shift(other, shift)
    keep = []
    for distance, n in zip(shift, one.shape, strict=True):
        rim = math.ceil(abs(distance))
        keep.append(slice(rim if distance > 0 else 0, n - rim if distance < 0 else n))
    rows, columns = keep
    if min(one[rows, columns].shape) < SMALLEST:
        raise DataError(f"images are {shift[0]:.1f}, {shift[1]:.1f} px apart: too little of them overlaps")
    return one[rows, columns], moved[rows, columns], shift
