"""Electron-counted files of the 4D Camera: written as stempy's `write_to_hdf5` and earlier versions lay them out."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ptycupy import Engine, Settings
from ptycupy.config.schema import Config, Data
from ptycupy.data import describe, open_source
from ptycupy.errors import DataError

SCAN, DETECTOR = (3, 4), (7, 5)
PLACES = np.arange(12)


def events(seed: int, count: int = 12) -> list[Any]:
    """A list of pixels for every frame: none in the second, one hit twice in the first."""
    random = np.random.default_rng(seed)
    lists = [random.integers(0, 35, random.poisson(6)) for _ in range(count)]
    lists[0], lists[1] = np.array([34, 3, 34]), np.zeros(0, int)
    return lists


def write(path: Path, lists: list[Any], places: Any, version: int | None = None, dtype: Any = np.uint32) -> Path:
    with h5py.File(path, "w") as file:
        if version is not None:
            file.attrs["version"] = version
        group = file.create_group("electron_events")
        positions = group.create_dataset("scan_positions", data=np.asarray(places, np.int32))
        positions.attrs["Nx"], positions.attrs["Ny"] = SCAN[1], SCAN[0]
        frames = group.create_dataset("frames", (len(lists),), dtype=h5py.vlen_dtype(dtype))
        frames.attrs["Nx"], frames.attrs["Ny"] = DETECTOR
        for number, listed in enumerate(lists):
            frames[number] = listed
        file["stem/images"] = np.zeros((2, *SCAN), np.uint64)
    return path


def dense(lists: list[Any], places: Any) -> Any:
    patterns = np.zeros((12, 35), int)
    for listed, place in zip(lists, places, strict=True):
        np.add.at(patterns[place], listed, 1)
    return patterns.reshape(12, *DETECTOR)


def opened(path: Path, **data: Any) -> Any:
    return open_source(Data(path=str(path), **data))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64])
def test_a_frame_for_every_position(tmp_path: Path, dtype: Any) -> None:
    lists = events(1)
    source = opened(write(tmp_path / "a.h5", lists, PLACES, dtype=dtype))
    assert (source.shape, source.dtype, source.scan_shape) == ((12, *DETECTOR), np.uint16, SCAN)
    np.testing.assert_array_equal(source.read([11, 0, 5, 1]), dense(lists, PLACES)[[11, 0, 5, 1]])
    assert source.read([0])[0].reshape(-1)[34] == 2
    for part, slab in pickle.loads(pickle.dumps(source)).slabs(5):
        np.testing.assert_array_equal(slab, dense(lists, PLACES)[part])


@pytest.mark.parametrize("key", ["electron_events", "/electron_events/frames"])
def test_it_may_be_named_and_cropped(tmp_path: Path, key: str) -> None:
    lists = events(2)
    path = write(tmp_path / "a.h5", lists, PLACES)
    source = opened(path, key=key, crop_scan=[[1, 3], [0, 2]], crop_detector=[[1, 6], [0, 4]])
    np.testing.assert_array_equal(source.read(range(4)), dense(lists, PLACES)[[4, 5, 8, 9], 1:6, 0:4])
    assert "frames" in describe(path)


def test_frames_of_one_position_are_added(tmp_path: Path) -> None:
    """Version 3 puts them one after the other and lists a position once; before, places repeat in any order."""
    lists = events(3, 36)
    repeated = np.repeat(PLACES, 3)
    source = opened(write(tmp_path / "three.h5", lists, PLACES, version=3))
    np.testing.assert_array_equal(source.read(range(12)), dense(lists, repeated))
    order = np.random.default_rng(4).permutation(36)
    mixed = write(tmp_path / "one.h5", [lists[number] for number in order], repeated[order])
    np.testing.assert_array_equal(opened(mixed).read(range(12)), dense(lists, repeated))


def test_missing_frames_are_empty_patterns(tmp_path: Path) -> None:
    lists, places = events(5, 10), [0, 1, 2, 3, 4, 6, 7, 8, 9, 11]
    found = opened(write(tmp_path / "a.h5", lists, places)).read(range(12))
    np.testing.assert_array_equal(found, dense(lists, places))
    assert not found[[5, 10]].any()


def test_faults_are_named(tmp_path: Path) -> None:
    def broken(change: Any) -> Path:
        path = write(tmp_path / "a.h5", events(6), PLACES)
        with h5py.File(path, "r+") as file:
            change(file["electron_events"])
        return path

    def outside(group: Any) -> None:
        group["frames"][7] = np.array([35])

    def shorter(group: Any) -> None:
        attributes = dict(group["scan_positions"].attrs)
        del group["scan_positions"]
        group["scan_positions"] = np.arange(7)
        group["scan_positions"].attrs.update(attributes)

    def far(group: Any) -> None:
        group["scan_positions"][3] = 12

    with pytest.raises(DataError, match=r"frames \[7\] have events at pixels 35 to 35, but the detector 7 x 5 has 35"):
        opened(broken(outside)).read([6, 7])
    with pytest.raises(DataError, match="every position needs as many frames"):
        opened(broken(shorter))
    with pytest.raises(DataError, match="places 0 to 12, but a scan of 3 x 4 has 12"):
        opened(broken(far))
    with pytest.raises(DataError, match="frames needs the attribute Ny, a length"):
        opened(broken(lambda group: group["frames"].attrs.__delitem__("Ny")))
    with pytest.raises(DataError, match="scan_positions needs the attribute Nx, a length"):
        opened(broken(lambda group: group["scan_positions"].attrs.__setitem__("Nx", 0)))


def test_events_reach_the_device_as_events(tmp_path: Path, cpu_backend: Any) -> None:
    """From the lists of the file to the lists on the device, through the configuration."""
    from ptycupy import experiment

    config = Config.model_validate(
        {
            "version": 1,
            "data": {
                "path": str(write(tmp_path / "a.h5", events(7), PLACES)),
                "bad_pixels": "ignore",
                "device_storage": "events",
            },
            "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 20, "modes": 1},
            "calibration": {"mode": "pixel_size_angstrom", "value": 0.2},
            "scan": {"step_angstrom": 0.4},
        }
    )
    problem, state = experiment.build(config, open_source(config.data))
    engine = Engine(problem, state, Settings({"gaussian": {}}), cpu_backend("float32"))
    packed = engine.experiment.patterns
    assert packed.bits == 0
    assert packed.pixels.size == np.count_nonzero(dense(events(7), PLACES))
    found = engine.measured(np.arange(12))
    scaled = dense(events(7), PLACES) * np.float32(problem.pattern_scale)
    np.testing.assert_array_equal(found[[0, 5]], scaled[[0, 5]].astype(np.float32))
