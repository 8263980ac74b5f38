"""FAULTS row 42, by reading: no kernel multiplies two ints to find a place in an array.

Every product of kernels/*.cu and their headers is typed as C++ types it, in subscripts, in what is added to a pointer
and in what functions are given. One of two ints may overflow, unless what it counts is known to be small: the pixels of
one wave, a matrix over modes or variations, pairs of numbers.
"""

from __future__ import annotations

import re

import pytest
from kernels.index_types import offences

from ptycupy.backends.cuda import sources

FILES = (*sources.headers(), *(f"{op}.cu" for op in sources.ops()))
HEADERS = tuple(map(sources.read, sources.headers()))


@pytest.mark.parametrize("file", FILES)
def test_fault_42_no_product_of_ints_is_a_place_in_an_array(file: str) -> None:
    assert offences(file, sources.read(file), HEADERS) == []


NARROWED = {
    "in a subscript": ("transmit.cu", "(size_t(at.row) * probe_modes + p) * pixels", "at.row * probe_modes * height"),
    "added to a pointer": ("transform.cu", "size_t(number) * LENGTH", "number * LENGTH"),
    "added to a pointer, of a sum": (
        "propagate_columns.cu", "(size_t(tile.number) * modes + m) * pixels", "(tile.number * modes + m) * LENGTH",
    ),
    "added to a pointer later": ("multislice.cu", "size_t(blockIdx.x) * PIXELS;", "blockIdx.x * PIXELS;"),
    "in brackets": ("transmit_rows.cu", "((size_t(row.stack) * probe_modes", "((row.stack * probe_modes"),
    "of a header": ("common.cuh", "size_t(corners[2 * index] + y)", "(corners[2 * index] + y)"),
    "given to a function": ("similarity.cu", "size_t(at.row) * object_modes * columns", "at.row * object_modes"),
    "given to a function that takes ints": ("lsqml.cu", "int(i), width, canvas_width)", "i, width, canvas_width)"),
    "cut": ("adafactor.cu", "size_t row = divide(i, width)", "int row = divide(i, width)"),
    "what a function returns": ("multislice.cu", "DEVICE size_t wave_of", "DEVICE int wave_of"),
    "two ints everywhere": ("axis_filter.cu", "size_t", "int"),
}  # fmt: skip


@pytest.mark.parametrize("where", NARROWED)
def test_such_a_product_is_seen(where: str) -> None:
    file, wide, narrow = NARROWED[where]
    text = sources.read(file)
    assert wide in text
    changed = text.replace(wide, narrow)
    headers = [changed if header == text else header for header in HEADERS]
    assert offences(file, changed, headers) != []


def test_nearly_every_cast_is_missed_where_it_is_taken_away() -> None:
    """The others stand in sums, beside another size_t, or within a plane."""
    seen = []
    for op in sources.ops():
        text = sources.read(f"{op}.cu")
        for cast in re.finditer(r"\bsize_t\((\w[\w.]*)\)", text):
            without = text[: cast.start()] + cast[1] + text[cast.end() :]
            seen.append(bool(offences(f"{op}.cu", without, HEADERS)))
    assert sum(seen) > 0.75 * len(seen) > 75
