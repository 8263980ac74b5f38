"""Patterns read one by one from plain storage, and from chunks that stay decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from ptycupy.config.schema import Data
from ptycupy.data import PatternSource, open_source
from ptycupy.data.chunk_cache import CachedChunks, is_chunked, with_chunk_cache
from ptycupy.data.stored import Blocks, StoredPatterns
from ptycupy.errors import DataError

SCAN, DETECTOR = (5, 7), (6, 4)
WANTED = np.array([33, 2, 3, 4, 20, 0, 34, 2])


def values(dtype: str = "<u2") -> NDArray[Any]:
    return np.random.default_rng(1).integers(0, 1000, (*SCAN, *DETECTOR)).astype(dtype)


def flat(patterns: NDArray[Any]) -> NDArray[Any]:
    return patterns.reshape(-1, *DETECTOR)


def bare(source: PatternSource) -> StoredPatterns:
    """Below all views."""
    while not isinstance(source, StoredPatterns):
        source = source.base  # type: ignore[attr-defined]
    return source


def as_npy(path: Path, patterns: NDArray[Any]) -> Data:
    np.save(path / "a.npy", patterns)
    return Data(path=str(path / "a.npy"))


def as_fortran(path: Path, patterns: NDArray[Any]) -> Data:
    return as_npy(path, np.asfortranarray(patterns))


def as_hdf5(path: Path, patterns: NDArray[Any], **how: Any) -> Data:
    with h5py.File(path / "a.h5", "w", **how) as file:
        file["before"] = np.arange(3)
        file["dp"] = patterns
    return Data(path=str(path / "a.h5"), key="dp")


def as_hdf5_behind_a_block(path: Path, patterns: NDArray[Any]) -> Data:
    return as_hdf5(path, patterns, userblock_size=512)


def as_raw_with_gaps(path: Path, patterns: NDArray[Any]) -> Data:
    gap = b"\xff" * 16
    (path / "a.raw").write_bytes(b"\xee" * 32 + b"".join(p.astype("<f4").tobytes() + gap for p in flat(patterns)))
    return Data(
        path=str(path / "a.raw"),
        offset_bytes=32,
        gap_bytes=16,
        scan_shape=SCAN,
        detector_shape=DETECTOR,
        format="empad",
    )


@pytest.mark.parametrize("dtype", ["<u2", ">i4", "f8"])
@pytest.mark.parametrize("write", [as_npy, as_fortran, as_hdf5, as_hdf5_behind_a_block, as_raw_with_gaps])
def test_scattered_patterns_of_plain_storage(write: Any, dtype: str, tmp_path: Path) -> None:
    patterns = values(dtype)
    source = open_source(write(tmp_path, patterns))
    for wanted in (WANTED, np.arange(35), np.zeros(0, int), [17]):
        np.testing.assert_array_equal(source.read(wanted), flat(patterns)[np.asarray(wanted, int)])


def test_a_plain_file_that_is_cut_names_the_bytes_that_are_missing(tmp_path: Path) -> None:
    source = open_source(as_hdf5(tmp_path, values()))
    source.read([3])
    with open(tmp_path / "a.h5", "r+b") as file:
        file.truncate(file.seek(0, 2) - 500)
    with pytest.raises(DataError, match=r"a\.h5: truncated: \d+ of at least \d+ bytes"):
        source.read([34])


# --- chunks ---------------------------------------------------------------------------------------------------
def chunked(path: Path, chunks: tuple[int, ...]) -> PatternSource:
    with h5py.File(path / "c.h5", "w") as file:
        file.create_dataset("dp", data=values(), chunks=chunks, compression="gzip")
    return open_source(Data(path=str(path / "c.h5")))


class Counting:
    """A stored array that writes down the regions that are read."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.regions: list[tuple[tuple[int, int], ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.array, name)

    def read_region(self, region: tuple[slice, ...]) -> Any:
        self.regions.append(tuple((part.start, part.stop) for part in region))
        return self.array.read_region(region)


@pytest.mark.parametrize("chunks", [(1, 1, 6, 4), (2, 3, 6, 4), (5, 7, 2, 3), (1, 7, 6, 2)])
@pytest.mark.parametrize("limit", [1, 500, 2000, 10**6])
def test_chunks_that_are_kept_hold_the_same_patterns(chunks: tuple[int, ...], limit: int, tmp_path: Path) -> None:
    source = with_chunk_cache(chunked(tmp_path, chunks), limit)
    for _ in range(2):
        np.testing.assert_array_equal(source.read(WANTED), flat(values())[WANTED])
        np.testing.assert_array_equal(source.read(np.arange(35)), flat(values()))
    array = bare(source).array
    assert isinstance(array, CachedChunks)
    assert isinstance(array, Blocks)
    assert sum(chunk.nbytes for chunk in array._kept.values()) <= limit


def test_a_chunk_is_read_once_in_a_batch_and_again_only_when_it_was_forgotten(tmp_path: Path) -> None:
    stored = bare(chunked(tmp_path, (1, 4, 6, 4)))
    counting: Any = Counting(stored.array)
    two = 2 * 4 * 6 * 4 * 2
    array = CachedChunks(counting, two)
    first = ((0, 1), (0, 4), (0, 6), (0, 4))
    np.testing.assert_array_equal(array.read_blocks(2, np.array([2, 0, 1])), flat(values())[[2, 0, 1]])
    assert counting.regions == [first]
    array.read_blocks(2, np.array([5, 3]))  # the next one, at the border of 7
    assert counting.regions == [first, ((0, 1), (4, 7), (0, 6), (0, 4))]
    array.read_blocks(2, np.array([0, 6]))
    assert len(counting.regions) == 2
    array.read_blocks(2, np.array([8]))  # a third, for which the least used one goes
    array.read_blocks(2, np.array([9, 6]))
    assert len(counting.regions) == 3
    array.read_blocks(2, np.array([1]))
    assert counting.regions[3:] == [first]


def test_chunks_are_found_behind_views(tmp_path: Path) -> None:
    path = chunked(tmp_path, (1, 4, 6, 4)).provenance.path
    turned = {"orientation": {"transpose": True}, "crop_scan": ((1, 4), (2, 6)), "crop_detector": ((0, 3), (1, 5))}
    source = open_source(Data.model_validate({"path": path, **turned}))
    cached = with_chunk_cache(source, 10**6)
    assert is_chunked(source)
    assert not is_chunked(open_source(as_hdf5(tmp_path, values())))
    np.testing.assert_array_equal(cached.read([7, 1, 11]), source.read([7, 1, 11]))
    assert isinstance(bare(cached).array, CachedChunks)
    assert not isinstance(bare(source).array, CachedChunks)
