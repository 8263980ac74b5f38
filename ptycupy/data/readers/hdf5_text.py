"""Texts in HDF5 files, read only where the library cannot be caught in a damaged heap of them."""

from __future__ import annotations

import functools
import struct
from pathlib import Path
from typing import Any

import h5py

from ptycupy.data.files import file_size, open_binary

SCANNED_BYTES = 1 << 26  # at either end of the file: heaps lie beside the metadata, not inside of large data
TEXT_LIMIT = 1 << 10
HEAP, HEAP_HEADER, OBJECT_HEADER = b"GCOL", 16, 16
WRAP = 1 << 64


def text_attribute(entry: Any, name: str) -> str | None:
    """The text of an attribute, or None where there is none that is safe to read."""
    if name not in entry.attrs:
        return None
    attribute = entry.attrs.get_id(name)
    if not _is_safe_text(entry, attribute.get_type()) or attribute.shape not in ((), (1,)):
        return None
    return _decoded(entry.attrs[name])


def text_dataset(group: Any, name: str) -> str | None:
    """The text of a scalar dataset, or None."""
    entry = group.get(name)
    if not isinstance(entry, h5py.Dataset) or entry.shape not in ((), (1,)):
        return None
    return _decoded(entry[()]) if _is_safe_text(entry, entry.id.get_type()) else None


def _is_safe_text(entry: Any, kind: Any) -> bool:
    if kind.get_class() != h5py.h5t.STRING:
        return False
    if not kind.is_variable_str():
        return bool(kind.get_size() <= TEXT_LIMIT)
    return heaps_are_sound(Path(entry.file.filename))


def _decoded(value: Any) -> str | None:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.strip("\0 ") if isinstance(value, str) and len(value) <= TEXT_LIMIT else None


def heaps_are_sound(path: Path) -> bool:
    """False where a heap of texts holds an object of no length, on which HDF5 2.0 turns round for ever."""
    return _checked(path, file_size(path), path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _checked(path: Path, size: int, _changed_ns: int) -> bool:
    with open_binary(path) as stream:
        parts = [stream.read(SCANNED_BYTES)]
        if size > SCANNED_BYTES:
            stream.seek(max(SCANNED_BYTES, size - SCANNED_BYTES))
            parts.append(stream.read(SCANNED_BYTES))
    return all(_is_sound(part) for part in parts)


def _is_sound(content: bytes) -> bool:
    place = content.find(HEAP)
    while place >= 0:
        header = content[place : place + HEAP_HEADER]
        if len(header) == HEAP_HEADER and header[4] == 1:
            (length,) = struct.unpack("<Q", header[8:])
            end = min(place + length, len(content))
            at = place + HEAP_HEADER
            while at + OBJECT_HEADER <= end:
                index, size = struct.unpack("<H6xQ", content[at : at + OBJECT_HEADER])
                step = size if index == 0 else (OBJECT_HEADER + (size + 7) % WRAP // 8 * 8) % WRAP
                if step == 0:
                    return False
                at += step
        place = content.find(HEAP, place + 1)
    return True
