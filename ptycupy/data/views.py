"""Lazy views: patterns changed one by one as they are read, or some of them left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.source import Calibration, PatternSource, Provenance, SourceView
from ptycupy.errors import DataError


class Step(Protocol):
    """What is done to each pattern; a value, so that sources can be sent to other processes."""

    def __call__(self, patterns: NDArray[Any]) -> NDArray[Any]:
        """New patterns [..., ky', kx'] of patterns [..., ky, kx]."""
        ...

    def calibrate(self, calibration: Calibration) -> Calibration:
        """The calibration afterwards."""
        ...

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class MappedSource:
    """A source with a step applied to every pattern when it is read."""

    base: PatternSource
    step: Step
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, base: PatternSource, step: Step) -> MappedSource:
        """The view; shape and type are those that the step gives an empty pattern."""
        sample = step(np.zeros(base.shape[1:], base.dtype))
        ky, kx = sample.shape
        return cls(base, step, (base.shape[0], ky, kx), sample.dtype)

    @property
    def scan_shape(self) -> tuple[int, int] | None:
        return self.base.scan_shape

    @property
    def calibration(self) -> Calibration:
        return self.step.calibrate(self.base.calibration)

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        return replace(before, steps=(*before.steps, str(self.step)))

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] after the step."""
        return np.ascontiguousarray(self.step(self.base.read(indices)))

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """The base's slabs after the step."""
        for part, patterns in self.base.slabs(size):
            yield part, np.ascontiguousarray(self.step(patterns))


@dataclass(frozen=True)
class Picked(SourceView):
    """Some patterns of a source, which is all that is read."""

    indices: NDArray[np.int32]
    scan_shape: None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        return (len(self.indices), *self.base.shape[1:])

    @property
    def provenance(self) -> Provenance:
        return self.base.provenance

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] numbered among those that were picked."""
        return self.base.read(self.indices[np.asarray(indices, np.int64)])

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All of them, at most `size` at a time."""
        for start in range(0, len(self.indices), size):
            part = slice(start, min(start + size, len(self.indices)))
            yield part, self.base.read(self.indices[part])


@dataclass(frozen=True)
class ScanCrop(SourceView):
    """A rectangle of the scan: rows and columns of the scan grid, stop exclusive."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def __post_init__(self) -> None:
        if self.base.scan_shape is None:
            raise DataError(f"{self.base.provenance.path}: data.crop_scan needs data.scan_shape")

    @property
    def scan_shape(self) -> tuple[int, int]:
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        slow, fast = self.scan_shape
        return (slow * fast, *self.base.shape[1:])

    @property
    def provenance(self) -> Provenance:
        before = self.base.provenance
        (top, bottom), (left, right) = self.rows, self.columns
        return replace(before, steps=(*before.steps, f"crop scan [{top}:{bottom}, {left}:{right}]"))

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] numbered within the rectangle."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        count = self.shape[0]
        if wanted.size and (wanted.min() < 0 or wanted.max() >= count):
            raise IndexError(f"pattern {wanted.min()}..{wanted.max()} asked for, the crop has {count}")
        row, column = np.divmod(wanted, self.scan_shape[1])
        width = self.base.scan_shape[1] if self.base.scan_shape else 0
        return self.base.read((row + self.rows[0]) * width + column + self.columns[0])

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All patterns of the rectangle, at most `size` at a time."""
        for start in range(0, self.shape[0], size):
            part = slice(start, min(start + size, self.shape[0]))
            yield part, self.read(np.arange(part.start, part.stop))
