"""TIFF stacks: uncompressed ones are read run by run, compressed ones page by page; nothing is trusted unmeasured."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.files import (
    StridedFile,
    c_strides,
    file_size,
    open_binary,
    read_bytes,
    require_bytes,
    require_memory,
    require_plausible,
)
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.stored import Attributes, StoredArray
from ptycupy.errors import DataError


@dataclass(frozen=True)
class TiffPages:
    """Pages that are compressed or scattered over the file; `numbers` are their places in the file's chain."""

    path: Path
    shape: tuple[int, ...]  # leading axes number the pages, C order
    dtype: np.dtype[Any]
    numbers: tuple[int, ...]
    key: str | None = None
    attributes: Attributes = field(default_factory=Attributes)
    chunks: tuple[int, ...] | None = None

    def read_region(self, region: tuple[slice, ...]) -> NDArray[Any]:
        """The region, each page decoded whole; DataError where the file no longer holds them."""
        wanted = np.arange(len(self.numbers)).reshape(self.shape[:-2])[region[:-2]]
        values = np.empty((wanted.size, *self.shape[-2:]), self.dtype)
        with _open_tiff(self.path) as tif:
            for target, number in zip(values, wanted.flat, strict=True):
                page = tif.pages[self.numbers[number]]
                _require_segments(self.path, page, file_size(self.path))
                image = page.asarray(maxworkers=1)
                if image.shape != target.shape:
                    raise DataError(
                        f"{self.path}: page {self.numbers[number]} is {image.shape} now, not {target.shape}"
                    )
                target[...] = image
        return values.reshape(*wanted.shape, *self.shape[-2:])[..., region[-2], region[-1]]


def open_array(path: Path, options: ReaderOptions) -> StoredArray:
    """The stack of a TIFF file (N, y, x), or its hyperstack; `key` is a series' number where there are several."""
    size = file_size(path)
    with open_binary(path) as stream:
        directories = _count_directories(stream, path, size)
    with _open_tiff(path) as tif:
        _require_imagej(path, tif, size)
        series = list(tif.series)
        pages = [page for entry in series for page in entry.pages]
        if options.key is not None:
            entry = _chosen(path, series, options.key)
        elif len(series) == 1:
            entry = series[0]
        elif pages and len(pages) == directories and len({(page.shape, page.dtype) for page in pages}) == 1:
            return _stack(path, tif, pages, (len(pages), *pages[0].shape), size)
        else:
            raise DataError(
                f"{path}: {len(series)} series; set data.key to one of "
                + ", ".join(f"{number}: {entry.shape} {entry.dtype}" for number, entry in enumerate(series[:30]))
            )
        shape = entry.shape if len(entry.shape) > 2 else (1, *entry.shape)
        if entry.dataoffset is not None and entry.pages[0].samplesperpixel == 1:
            dtype = np.dtype(entry.dtype).newbyteorder(tif.byteorder)
            require_bytes(path, f"{shape} {dtype}", entry.dataoffset + math.prod(shape) * dtype.itemsize, size)
            return StridedFile(path, shape, dtype, entry.dataoffset, c_strides(shape, dtype.itemsize), options.key)
        return _stack(path, tif, list(entry.pages), shape, size)


def _chosen(path: Path, series: list[Any], key: str) -> Any:
    if key.isdecimal() and int(key) < len(series):
        return series[int(key)]
    raise DataError(f"{path}: data.key {key!r} is none of its series 0..{len(series) - 1}")


def _stack(path: Path, tif: Any, pages: list[Any], shape: tuple[int, ...], size: int) -> StoredArray:
    first = pages[0]
    if first is None or first.samplesperpixel != 1 or first.imagedepth != 1 or first.dtype is None:
        raise DataError(f"{path}: {shape}: colour images and volumes per page are not diffraction patterns")
    if len(pages) != math.prod(shape[:-2]) or shape[-2:] != (first.imagelength, first.imagewidth):
        raise DataError(
            f"{path}: {len(pages)} pages of {first.shape} are not the stack {shape} that its header declares"
        )
    for page in pages:
        _require_segments(path, page, size)
    dtype = np.dtype(first.dtype)
    offsets = np.array([page.dataoffsets[0] for page in pages])
    steps = np.unique(np.diff(offsets))
    if (
        all(page.is_contiguous and page.keyframe.is_final for page in pages)
        and steps.size <= 1
        and min(steps, default=1) > 0
    ):
        step = int(steps[0]) if steps.size else first.nbytes
        lead = c_strides(shape[:-2], step)
        dtype = dtype.newbyteorder(tif.byteorder)
        return StridedFile(path, shape, dtype, int(offsets[0]), (*lead, *c_strides(shape[-2:], dtype.itemsize)))
    return TiffPages(path, shape, dtype, tuple(int(page.index) for page in pages))


def _require_segments(path: Path, page: Any, size: int) -> None:
    """DataError where a page's strips or tiles end behind the file, or claim more than they can hold."""
    stored = 0
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        require_bytes(path, f"page {page.index}", offset + count, size)
        stored += count
    require_plausible(path, f"page {page.index} {page.shape}", page.nbytes, stored)
    require_memory(path, f"page {page.index} {page.shape}", page.nbytes)


def _require_imagej(path: Path, tif: Any, size: int) -> None:
    """ImageJ keeps a stack behind one page; a short file would pass for a single image."""
    if not tif.is_imagej or tif.imagej_metadata is None:
        return
    page, images = tif.pages[0], tif.imagej_metadata.get("images", 1)
    if isinstance(images, int) and images > 1 and page.is_final and len(tif.pages) == 1:
        require_bytes(path, f"an ImageJ stack of {images} images", page.dataoffsets[0] + images * page.nbytes, size)


@contextmanager
def _open_tiff(path: Path) -> Iterator[Any]:
    """The file in tifffile; whatever it makes of damaged input becomes a DataError, since it raises all kinds."""
    import tifffile

    try:
        with tifffile.TiffFile(path, is_ome=False) as tif:
            yield tif
    except DataError:
        raise
    except Exception as error:
        if "imagecodecs" in str(error):
            raise DataError(f"{path}: its compression needs a codec: pip install imagecodecs ({error})") from error
        raise DataError(f"{path}: not a readable TIFF file ({type(error).__name__}: {error})") from error


def _count_directories(stream: BinaryIO, path: Path, size: int) -> int:
    """Walks the chain of image directories; a chain that leaves the file or bites its tail is a DataError."""
    start = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    version = struct.unpack(f"{order}H", start[2:4])[0] if order and len(start) >= 4 else 0
    if version not in (42, 43):
        raise DataError(f"{path}: not a TIFF file ({size} bytes, begins with {start[:4]!r})")
    count_format, entry_bytes, offset_format, at = ("H", 12, "I", 4) if version == 42 else ("Q", 20, "Q", 8)
    count_bytes, offset_bytes = struct.calcsize(count_format), struct.calcsize(offset_format)
    require_bytes(path, "its TIFF header", at + offset_bytes, size)
    (offset,) = struct.unpack(f"{order}{offset_format}", start[at : at + offset_bytes])
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise DataError(f"{path}: image directory {len(seen)} leads back to byte {offset}: refused as damaged")
        seen.add(offset)
        require_bytes(path, f"image directory {len(seen) - 1}", offset + count_bytes, size)
        (entries,) = struct.unpack(f"{order}{count_format}", read_bytes(stream, path, offset, count_bytes))
        link = offset + count_bytes + entries * entry_bytes
        require_bytes(path, f"image directory {len(seen) - 1} with {entries} tags", link + offset_bytes, size)
        (offset,) = struct.unpack(f"{order}{offset_format}", read_bytes(stream, path, link, offset_bytes))
    if not seen:
        raise DataError(f"{path}: a TIFF file without an image ({size} bytes)")
    return len(seen)
