"""Deflated parts of files: unpacked whole, once, and never beyond what they declare or the machine holds."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import fill, human, open_binary, require_memory, require_plausible
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

DEFLATE_RATIO = 1040  # no deflated byte stands for more than 1032 bytes
PIECE_BYTES = 1 << 20


class Deflated:
    """`stored` bytes at `offset` of a file that unpack to `size` bytes; kept once unpacked, not sent to processes."""

    def __init__(
        self, path: Path, what: str, offset: int, stored: int, size: int, *, checksum: int | None = None
    ) -> None:
        """Raw deflate with a CRC-32 `checksum`, as in ZIP archives; without one a zlib stream, which has its own."""
        require_plausible(path, what, size, stored)
        if size > DEFLATE_RATIO * (stored + 64):
            raise DataError(
                f"{path}: {what} declares {size} bytes ({human(size)}), {stored} deflated bytes cannot hold so many"
            )
        self.path, self.what, self.offset = path, what, offset
        self.stored, self.size, self.checksum = stored, size, checksum
        self._window_bits = 15 if checksum is None else -15
        self._bytes: bytearray | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_bytes": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def head(self, count: int) -> bytes:
        """At most the first `count` unpacked bytes."""
        unpack = zlib.decompressobj(self._window_bits)
        piece = bytearray(min(self.stored, 4 * count + 1024))
        with open_binary(self.path) as stream:
            fill(stream, self.path, self.offset, memoryview(piece))
        try:
            return unpack.decompress(piece, min(count, self.size))
        except zlib.error as error:
            raise self._damaged(error) from error

    def unpacked(self) -> bytearray:
        """All of it; DataError where it is damaged or longer or shorter than declared."""
        with self._lock:
            if self._bytes is None:
                self._bytes = self._unpack()
            return self._bytes

    def _unpack(self) -> bytearray:
        require_memory(self.path, f"{self.what}, compressed and therefore unpacked whole,", self.size)
        result, done = bytearray(), 0
        unpack = zlib.decompressobj(self._window_bits)
        with open_binary(self.path) as stream:
            while done < self.stored and not unpack.eof:
                piece = bytearray(min(PIECE_BYTES, self.stored - done))
                fill(stream, self.path, self.offset + done, memoryview(piece))
                done += len(piece)
                try:
                    result += unpack.decompress(piece, self.size + 1 - len(result))
                    while unpack.unconsumed_tail and len(result) <= self.size:
                        result += unpack.decompress(unpack.unconsumed_tail, self.size + 1 - len(result))
                except zlib.error as error:
                    raise self._damaged(error) from error
                if len(result) > self.size:
                    break
        if len(result) != self.size:
            raise DataError(
                f"{self.path}: {self.what} unpacks to {'more' if len(result) > self.size else len(result)} bytes, "
                f"not the {self.size} declared: damaged or cut off"
            )
        if self.checksum is not None and zlib.crc32(result) != self.checksum:
            raise DataError(f"{self.path}: {self.what} is damaged: its checksum is wrong")
        return result

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: {self.what} is damaged: its compressed bytes do not unpack ({error})")


@dataclass(frozen=True)
class PackedArray:
    """An array inside a deflated part; axes of any order."""

    part: Deflated
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    strides: tuple[int, ...]
    key: str | None = None
    attributes: Attributes = field(default_factory=Attributes)
    chunks: tuple[int, ...] | None = None

    @property
    def path(self) -> Path:
        return self.part.path

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region, copied out of the unpacked part."""
        values: NDArray[Any] = np.ndarray(self.shape, self.dtype, self.part.unpacked(), self.offset, self.strides)
        copied: NDArray[Any] = values[region].copy()
        return copied
