"""Patterns of whole counts in few bits: codes for all pixels, a list for the counts that codes cannot hold.

With codes of no bits the list holds everything that is not zero: the events of a counting detector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import human
from ptycupy.data.source import PatternSource
from ptycupy.errors import DataError

Storage = Literal["auto", "dense", "packed", "events"]
BITS = (0, 1, 2, 4, 8, 16)  # of a code; divisors of a word's 32
LARGEST = 1 << 24  # what float32 holds exactly, and the largest count that is taken
MOST_EXTRA = 255  # of one entry of a list: more takes several
SLAB_BYTES = 1 << 24  # of the counts that are looked at together
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PackedPatterns:
    """Patterns [N, ky, kx] of whole counts, beam in the centre; where something does not count they hold 0.

    A count is its code, and where that is the largest there is, also the extras of all entries with its pixel. Entries
    are in the order of patterns, then of pixels (ky kx in C order), and a pixel may have several.
    """

    bits: int  # of a code, one of BITS; pixel i is bits i bits .. (i + 1) bits - 1 of its pattern's words
    words: Any  # [N, W] uint32; None where bits is 0
    offsets: Any  # [N + 1] uint64: entries offsets[i] .. offsets[i + 1] - 1 are those of pattern i
    pixels: Any  # [K] uint16, or uint32 for detectors of more pixels
    extras: Any  # [K] uint8
    detector_shape: tuple[int, int]  # px (ky, kx)
    dtype: np.dtype[Any]  # of the patterns as they came

    @property
    def shape(self) -> tuple[int, int, int]:
        return (int(self.offsets.shape[0]) - 1, *self.detector_shape)

    @property
    def nbytes(self) -> int:
        """Of all arrays together."""
        arrays = (self.words, self.offsets, self.pixels, self.extras)
        return sum(int(array.nbytes) for array in arrays if array is not None)

    def read(self, indices: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Patterns [n, ky, kx] in the type they came in; of arrays on the host only."""
        pixels, full = math.prod(self.detector_shape), np.uint32((1 << self.bits) - 1)
        found = np.zeros((len(indices), pixels), np.uint32)
        shifts = np.arange(0, 32, self.bits or 32, dtype=np.uint32)
        for counts, index in zip(found, np.asarray(indices).tolist(), strict=True):
            if self.words is not None:
                counts[:] = ((self.words[index, :, None] >> shifts) & full).reshape(-1)[:pixels]
            part = slice(int(self.offsets[index]), int(self.offsets[index + 1]))
            np.add.at(counts, self.pixels[part], self.extras[part])
        return found.reshape(-1, *self.detector_shape).astype(self.dtype)

    def moved(self, move: Callable[[Any], Any]) -> PackedPatterns:
        """The same with every array moved, as to a device."""
        words = None if self.words is None else move(self.words)
        return replace(
            self, words=words, offsets=move(self.offsets), pixels=move(self.pixels), extras=move(self.extras)
        )


@dataclass
class Census:
    """What each form of these patterns would take; `flaw` says why none of them is exact, empty where all are."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    largest: int = 0
    entries: dict[int, int] = field(default_factory=lambda: dict.fromkeys(BITS, 0))  # by bits of a code
    flaw: str = ""

    @property
    def dense_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def bytes(self, bits: int) -> int:
        """Of all arrays of PackedPatterns."""
        count, pixels = self.shape[0], math.prod(self.shape[1:])
        entry = pixel_type(pixels).itemsize + 1
        return 4 * count * words_of(pixels, bits) + 8 * (count + 1) + entry * max(self.entries[bits], 1)

    def add(self, values: NDArray[np.uint32]) -> None:
        """More counts of these patterns."""
        self.largest = max(self.largest, int(values.max(initial=0)))
        over = values[values > 0]
        for bits in BITS:
            full = (1 << bits) - 1
            over = over[over > full]
            self.entries[bits] += int((-(-(over.astype(np.int64) - full) // MOST_EXTRA)).sum())

    def scaled(self, count: int) -> Census:
        """As expected of so many patterns like these."""
        entries = {bits: round(found * count / self.shape[0]) for bits, found in self.entries.items()}
        return replace(self, shape=(count, *self.shape[1:]), entries=entries)

    def choose(self, storage: Storage, name: str) -> int | None:
        """Bits of the smallest form that is asked for; None = the patterns stay as they came.

        DataError, which begins with `name`, where `packed` or `events` cannot hold them.
        """
        if self.flaw and storage in ("packed", "events"):
            raise DataError(
                f"{name}: {self.flaw}, which data.device_storage: {storage} cannot hold exactly; auto and dense can"
            )
        if storage == "dense" or self.flaw:
            return None
        allowed = {"auto": BITS, "events": (0,), "packed": BITS[1:]}[storage]
        bits = min(allowed, key=self.bytes)
        return None if storage == "auto" and self.bytes(bits) >= self.dense_bytes else bits

    def told(self, bits: int | None) -> str:
        """What patterns take in the form with codes of so many bits, and what they took before."""
        dense = f"{human(self.dense_bytes)} as {self.dtype}"
        if bits is not None:
            return f"{form_of(bits)}, {human(self.bytes(bits))} instead of {dense}"
        return f"{dense}, as they came ({self.flaw or f'counts up to {self.largest}, which no form packs into less'})"


def form_of(bits: int) -> str:
    """What codes of so many bits make of patterns, for people."""
    return f"packed, {bits} bit{'s' if bits > 1 else ''} per pixel, larger counts listed" if bits else "events"


def words_of(pixels: int, bits: int) -> int:
    """Words of 32 bits that the codes of one pattern take."""
    return -(-pixels * bits // 32)


def pixel_type(pixels: int) -> np.dtype[Any]:
    """The type that numbers so many pixels."""
    return np.dtype(np.uint16 if pixels <= 1 << 16 else np.uint32)


def count_of(patterns: PatternSource, mask: Mask, used: Mask) -> Census:
    """One look at all patterns: what their forms take, or why they have none. Stops at the first flaw.

    `mask` [ky, kx] and `used` [N] are True where something counts; nothing else is looked at.
    """
    census = Census(patterns.shape, patterns.dtype)
    for _, values in _counts(patterns, mask, used):
        if isinstance(values, str):
            census.flaw = values
            break
        census.add(values)
    return census


def pack(patterns: PatternSource, census: Census, bits: int, mask: Mask, used: Mask) -> PackedPatterns:
    """The patterns that were counted, slab by slab; nothing else is ever in memory as a whole."""
    count, pixels = patterns.shape[0], math.prod(patterns.shape[1:])
    full = (1 << bits) - 1
    words = np.zeros((count, words_of(pixels, bits)), np.uint32) if bits else None
    offsets = np.zeros(count + 1, np.uint64)
    numbers = np.zeros(max(census.entries[bits], 1), pixel_type(pixels))
    extras = np.zeros(numbers.size, np.uint8)
    done = 0
    for part, values in _counts(patterns, mask, used):
        if isinstance(values, str):
            raise ValueError(f"patterns changed while they were read: {values}")
        if words is not None:
            words[part] = _words(np.minimum(values, full), bits)
        rows, columns = np.nonzero(values > full)
        rest = values[rows, columns].astype(np.int64) - full
        pieces = -(-rest // MOST_EXTRA)
        stop = done + int(pieces.sum())
        numbers[done:stop] = np.repeat(columns, pieces)
        extras[done:stop] = MOST_EXTRA
        extras[done + np.cumsum(pieces) - 1] = rest - MOST_EXTRA * (pieces - 1)
        per_pattern = np.bincount(rows, weights=pieces, minlength=len(values)).astype(np.int64)
        offsets[part.start + 1 : part.stop + 1] = (done + np.cumsum(per_pattern)).astype(np.uint64)
        done = stop
    height, width = patterns.shape[1:]
    return PackedPatterns(bits, words, offsets, numbers, extras, (height, width), patterns.dtype)


def expected(census: Census, bits: int) -> PackedPatterns:
    """Patterns that take what the census says, and no memory: for plans."""
    count, height, width = census.shape
    pixels, entries = height * width, (max(census.entries[bits], 1),)

    def blank(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return np.broadcast_to(np.zeros((), dtype), shape)

    words = blank((count, words_of(pixels, bits)), np.uint32) if bits else None
    arrays = blank((count + 1,), np.uint64), blank(entries, pixel_type(pixels)), blank(entries, np.uint8)
    return PackedPatterns(bits, words, *arrays, (height, width), census.dtype)


def _counts(patterns: PatternSource, mask: Mask, used: Mask) -> Iterator[tuple[slice, NDArray[np.uint32] | str]]:
    """Slab by slab the counts [n, ky kx], 0 where they do not count; or what they are instead of counts."""
    pixels = math.prod(patterns.shape[1:])
    flat, whole = mask.reshape(-1), bool(mask.all())
    for part, slab in patterns.slabs(max(1, SLAB_BYTES // (4 * pixels))):
        values = slab.reshape(len(slab), pixels)
        if not (whole and used[part].all()):
            values = np.where(flat & used[part, None], values, values.dtype.type(0))
        yield part, _flaw(values) or values.astype(np.uint32)


def _flaw(values: NDArray[Any]) -> str:
    """Why values are no counts; empty where they are."""
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        return "values that are no whole numbers"
    if values.dtype.kind != "b" and values.size and float(values.max()) > LARGEST:
        return f"values above {LARGEST}"
    return "negative values" if values.dtype.kind in "if" and values.min(initial=0) < 0 else ""


def _words(codes: NDArray[np.uint32], bits: int) -> NDArray[np.uint32]:
    """[n, W] of codes [n, pixels], the first one in the lowest bits."""
    n, pixels = codes.shape
    padded = np.zeros((n, words_of(pixels, bits) * 32 // bits), "<u2" if bits == 16 else np.uint8)
    padded[:, :pixels] = codes
    while bits < 8:
        padded = padded[:, 0::2] | (padded[:, 1::2] << np.uint8(bits))
        bits *= 2
    return np.ascontiguousarray(padded).view("<u4").astype(np.uint32, copy=False)


__all__ = ["Census", "PackedPatterns", "Storage", "count_of", "expected", "form_of", "pack"]
