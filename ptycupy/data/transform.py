"""The steps that views apply: orientation, crops, negative values, element types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.shapes import require_scan_shape
from ptycupy.data.source import Calibration, PatternSource
from ptycupy.data.views import MappedSource, ScanCrop
from ptycupy.errors import DataError

if TYPE_CHECKING:
    from ptycupy.config.schema import Orientation, Span


@dataclass(frozen=True)
class Orient:
    """Flips and a transpose of the detector, in this order; an even detector's centre moves by one pixel in a flip."""

    flip_y: bool
    flip_x: bool
    transpose: bool

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        patterns = patterns[..., :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return np.swapaxes(patterns, -1, -2) if self.transpose else patterns

    def calibrate(self, calibration: Calibration) -> Calibration:
        if not self.transpose:
            return calibration
        dk, angles = calibration.dk_inverse_angstrom, calibration.dk_mrad
        return replace(calibration, dk_inverse_angstrom=dk and dk[::-1], dk_mrad=angles and angles[::-1])

    def __str__(self) -> str:
        return " ".join(name for name in ("flip_y", "flip_x", "transpose") if getattr(self, name))


class _Uncalibrated:
    """Steps that leave the geometry alone."""

    def calibrate(self, calibration: Calibration) -> Calibration:
        return calibration


@dataclass(frozen=True)
class CropDetector(_Uncalibrated):
    """A rectangle of the detector, stop exclusive."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        cropped: NDArray[Any] = patterns[..., slice(*self.rows), slice(*self.columns)]
        return cropped

    def __str__(self) -> str:
        return f"crop detector [{self.rows[0]}:{self.rows[1]}, {self.columns[0]}:{self.columns[1]}]"


@dataclass(frozen=True)
class ClipNegative(_Uncalibrated):
    """Negative values become 0; type and NaN stay."""

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        clipped: NDArray[Any] = np.maximum(patterns, patterns.dtype.type(0))
        return clipped

    def __str__(self) -> str:
        return "clip negative values to 0"


@dataclass(frozen=True)
class SubtractMinimum(_Uncalibrated):
    """The minimum is subtracted; signed integers become unsigned ones of the same size, which always hold the rest."""

    minimum: float

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        if patterns.dtype.kind == "f":
            above: NDArray[Any] = patterns - patterns.dtype.type(self.minimum)
        else:
            # Modular arithmetic in the unsigned type is exact, whatever the sum would do in the signed one.
            unsigned = np.dtype(f"u{patterns.dtype.itemsize}")
            above = patterns.astype(unsigned) - np.array(int(self.minimum)).astype(unsigned)
        return above

    def __str__(self) -> str:
        return f"subtract the minimum {self.minimum:g}"


@dataclass(frozen=True)
class ClipBelow(_Uncalibrated):
    """Values below a threshold become 0; NaN stays."""

    threshold: float

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        clipped: NDArray[Any] = np.where(patterns < self.threshold, patterns.dtype.type(0), patterns)
        return clipped

    def __str__(self) -> str:
        return f"set values below {self.threshold:g} to 0"


@dataclass(frozen=True)
class SubtractValue(_Uncalibrated):
    """A value is subtracted, as float32; what is negative afterwards becomes 0."""

    value: float

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        left: NDArray[Any] = np.maximum(patterns.astype(np.float64) - self.value, 0).astype(np.float32)
        return left

    def __str__(self) -> str:
        return f"subtract {self.value:g}, negative values become 0"


@dataclass(frozen=True)
class Cast(_Uncalibrated):
    """Another element type, chosen so that it holds every value of the data set."""

    dtype: np.dtype[Any]

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        return patterns.astype(self.dtype)

    def __str__(self) -> str:
        return f"store as {self.dtype}"


def orient(source: PatternSource, orientation: Orientation) -> PatternSource:
    """The source with its detector turned as configured; itself where nothing is to be done."""
    if not (orientation.flip_y or orientation.flip_x or orientation.transpose):
        return source
    return MappedSource.of(source, Orient(orientation.flip_y, orientation.flip_x, orientation.transpose))


def crop_detector(source: PatternSource, spans: tuple[Span, Span] | None) -> PatternSource:
    """The part of the detector between the (y, x) spans; DataError where they leave nothing or leave the detector."""
    if spans is None:
        return source
    rows = _range(source, "data.crop_detector", "y", spans[0], source.shape[1])
    columns = _range(source, "data.crop_detector", "x", spans[1], source.shape[2])
    return MappedSource.of(source, CropDetector(rows, columns))


def crop_scan(source: PatternSource, spans: tuple[Span, Span] | None) -> PatternSource:
    """The positions between the (slow, fast) spans of the scan grid; DataError as for the detector."""
    if spans is None:
        return source
    slow, fast = require_scan_shape(source)
    rows = _range(source, "data.crop_scan", "slow", spans[0], slow)
    return ScanCrop(source, rows, _range(source, "data.crop_scan", "fast", spans[1], fast))


def _range(source: PatternSource, key: str, axis: str, span: Span, length: int) -> tuple[int, int]:
    start, stop = (0 if span[0] is None else span[0]), (length if span[1] is None else span[1])
    first, last = (value + length if value < 0 else value for value in (start, stop))
    if not 0 <= first < last <= length:
        raise DataError(f"{source.provenance.path}: {key} {axis} [{start}, {stop}) is no range within 0..{length}")
    return first, last
