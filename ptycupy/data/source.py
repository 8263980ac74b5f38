"""PatternSource: the lazy contract between files and everything above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """What a file says about itself; None where it says nothing."""

    dk_inverse_angstrom: tuple[float, float] | None = None  # (y, x) per detector pixel
    scan_step_angstrom: tuple[float, float] | None = None  # (slow, fast)
    energy_kev: float | None = None
    dk_mrad: tuple[float, float] | None = None  # (y, x) per detector pixel, where the file gives it as an angle


@dataclass(frozen=True)
class Provenance:
    """Where patterns came from and what was done to them, in order."""

    path: str
    key: str | None = None
    size_bytes: int | None = None
    steps: tuple[str, ...] = ()


@runtime_checkable
class PatternSource(Protocol):
    """Diffraction patterns that are read when they are asked for.

    Shape is (N, ky, kx): positions in scan order, beam in the centre; dtype is the file's own.
    """

    @property
    def shape(self) -> tuple[int, int, int]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def scan_shape(self) -> tuple[int, int] | None: ...

    @property
    def calibration(self) -> Calibration: ...

    @property
    def provenance(self) -> Provenance: ...

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] in the given order; raises DataError where the file no longer holds them."""
        ...

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All patterns in scan order, at most `size` at a time, with the slice each slab fills."""
        ...


@dataclass(frozen=True)
class ArraySource:
    """Patterns that already are an array (NumPy or a memory map): the simplest source."""

    patterns: NDArray[Any]  # [N, ky, kx]
    scan_shape: tuple[int, int] | None = None
    calibration: Calibration = field(default_factory=Calibration)
    provenance: Provenance = field(default_factory=lambda: Provenance("<array>"))

    @property
    def shape(self) -> tuple[int, int, int]:
        n, ky, kx = self.patterns.shape
        return n, ky, kx

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.patterns.dtype

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        return np.asarray(self.patterns[np.asarray(indices)])

    def slabs(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        for start in range(0, self.shape[0], size):
            part = slice(start, min(start + size, self.shape[0]))
            yield part, np.asarray(self.patterns[part])


@dataclass(frozen=True)
class SourceView:
    """What a source seen in another way has of the source itself, where it says nothing else."""

    base: PatternSource

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.base.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.base.dtype

    @property
    def scan_shape(self) -> tuple[int, int] | None:
        return self.base.scan_shape

    @property
    def calibration(self) -> Calibration:
        return self.base.calibration
