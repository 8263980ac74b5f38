"""Counts in few bits: what was packed comes back exactly, sizes are as foretold, and what are no counts is refused."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from ptycupy.data.counts import BITS, LARGEST, PackedPatterns, count_of, expected, pack
from ptycupy.data.source import ArraySource
from ptycupy.errors import DataError

SHAPES = [(4, 8, 8), (3, 7, 5), (1, 1, 1), (5, 1, 9), (2, 300, 301)]


def packed(patterns: Any, bits: int, mask: Any = None, used: Any = None) -> PackedPatterns:
    mask = np.ones(patterns.shape[1:], bool) if mask is None else mask
    used = np.ones(len(patterns), bool) if used is None else used
    kept = mask, used
    source = ArraySource(patterns)
    census = count_of(source, *kept)
    assert not census.flaw
    found = pack(source, census, bits, *kept)
    assert found.nbytes == census.bytes(bits) == expected(census, bits).nbytes
    assert expected(census, bits).shape == found.shape == patterns.shape
    return found


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_counts_come_back_as_they_were(shape: tuple[int, int, int], bits: int) -> None:
    random = np.random.default_rng(bits)
    patterns = random.poisson(0.7, shape).astype(np.uint32)
    rare = random.integers(0, patterns.size, 6)
    patterns.flat[rare] = [3, 16, 255, 256, 511, 70000]  # beyond every code, in several entries
    patterns[-1] = 0  # nothing at all
    found = packed(patterns, bits)
    order = random.permutation(len(patterns))
    np.testing.assert_array_equal(found.read(order), patterns[order])
    assert found.read(order).dtype == patterns.dtype
    assert found.offsets[-1] == found.offsets[-2]
    for start, stop in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True):
        assert (np.diff(found.pixels[start:stop].astype(int)) >= 0).all()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", ">u2", "int32", "int64", "float16", "float32"])
def test_whole_numbers_of_every_type(dtype: str) -> None:
    patterns = np.random.default_rng(1).integers(0, 2 if dtype == "bool" else 90, (5, 6, 7)).astype(dtype)
    for bits in BITS:
        np.testing.assert_array_equal(packed(patterns, bits).read(range(5)), patterns)


def test_what_does_not_count_is_not_packed() -> None:
    """A hot pixel under the mask and a pattern that is not used take no room, whatever they hold."""
    patterns = np.random.default_rng(2).poisson(0.1, (6, 16, 16)).astype(np.float32)
    mask, used = np.ones((16, 16), bool), np.ones(6, bool)
    mask[3, 4], used[2] = False, False
    patterns[:, 3, 4], patterns[2] = np.nan, -0.5
    found = packed(patterns, 0, mask, used)
    clean = np.where(mask & used[:, None, None], patterns, 0)
    np.testing.assert_array_equal(found.read(range(6)), clean)
    assert len(found.pixels) == np.count_nonzero(clean)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(0.5, "no whole numbers"), (np.nan, "no whole numbers"), (np.inf, "above 16777216"), (-1, "negative values"),
     (2.0 * LARGEST, "above 16777216")],
)  # fmt: skip
def test_what_are_no_counts_stays_as_it_came(value: float, reason: str) -> None:
    patterns = np.ones((3, 4, 4), np.float32)
    patterns[1, 2, 2] = value
    census = count_of(ArraySource(patterns), np.ones((4, 4), bool), np.ones(3, bool))
    assert reason in census.flaw
    assert reason in census.told(None)
    assert census.choose("auto", "scan.h5") is None
    for storage in ("packed", "events"):
        with pytest.raises(DataError, match=rf"scan.h5: .*{reason}.*{storage} cannot hold exactly"):
            census.choose(storage, "scan.h5")


@pytest.mark.parametrize(
    ("mean", "dtype", "chosen"),
    [(0.003, "uint16", 0), (0.05, "uint16", 1), (0.8, "uint16", 2), (3.0, "uint16", 4), (50.0, "uint16", 8),
     (50.0, "uint8", None), (5000.0, "float32", 16), (5000.0, "uint16", None), (0.5, "bool", 1)],
)  # fmt: skip
def test_auto_takes_the_smallest_form(mean: float, dtype: str, chosen: int | None) -> None:
    patterns = np.random.default_rng(3).poisson(mean, (20, 64, 64)).astype(dtype)
    kept = np.ones((64, 64), bool), np.ones(20, bool)
    census = count_of(ArraySource(patterns), *kept)
    assert census.choose("auto", "") == chosen
    assert census.choose("events", "") == 0
    assert census.choose("dense", "") is None
    sizes = {bits: pack(ArraySource(patterns), census, bits, *kept).nbytes for bits in BITS}
    smallest = min(sizes, key=sizes.__getitem__)
    assert chosen == (smallest if sizes[smallest] < patterns.nbytes else None)
    assert sizes[census.choose("packed", "") or 0] == min(sizes[bits] for bits in BITS[1:])


def test_a_sample_foretells_the_whole() -> None:
    patterns = np.random.default_rng(4).poisson(0.02, (400, 32, 32)).astype(np.uint8)
    mask = np.ones((32, 32), bool)
    some = count_of(ArraySource(patterns[::25]), mask, np.ones(16, bool)).scaled(400)
    assert some.bytes(0) == pytest.approx(packed(patterns, 0).nbytes, rel=0.2)


def test_packing_takes_a_slab_and_what_it_makes() -> None:
    """64 MB of bytes with few counts: slabs of 4 million values, of which a few copies live at once."""
    patterns = np.zeros((64, 1024, 1024), np.uint8)
    patterns[:, ::50, ::50] = 1
    source, kept = ArraySource(patterns), (np.ones((1024, 1024), bool), np.ones(64, bool))
    tracemalloc.start()
    census = count_of(source, *kept)
    found = pack(source, census, 0, *kept)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.nbytes < 0.01 * patterns.nbytes * 2
    assert peak < 40e6
