"""Patterns are held in the element type of their file, whatever is done to them on the way: no float32 stack exists."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scenes import random_scene

from ptycupy.config.schema import Orientation
from ptycupy.data import ArraySource
from ptycupy.data.held import Held
from ptycupy.data.preprocess import scan
from ptycupy.data.transform import crop_detector, orient
from ptycupy.model.experiment import Experiment, place
from ptycupy.model.parameters import upload

COUNT, DETECTOR = 6, (10, 9)
# what the file holds -> what is stored; wide integers become doubles of the same size, exact up to 2^53
STORED = {
    "bool": "bool",
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    ">u2": "uint16",
    "int16": "int16",
    "float16": "float16",
    ">f2": "float16",
    "uint32": "uint32",
    ">i4": "int32",
    "float32": "float32",
    "int64": "float64",
    "float64": "float64",
}


def counts(dtype: str, detector: tuple[int, int] = DETECTOR) -> Any:
    return np.random.default_rng(3).integers(0, 2 if dtype == "bool" else 100, (COUNT, *detector)).astype(dtype)


def placed(backend: Any, patterns: Any, window: tuple[int, int] = DETECTOR, **changes: Any) -> Experiment:
    problem, state = random_scene(positions=COUNT, window=window, detector=window, slices=1)
    return place(backend, replace(problem, patterns=patterns, **changes), upload(backend, state))


@pytest.fixture(params=["cpu", "cuda"])
def backend(request: pytest.FixtureRequest, cpu_backend: Any, host_cuda_backend: Any) -> Any:
    return {"cpu": cpu_backend, "cuda": host_cuda_backend}[request.param]("float32")


@pytest.mark.parametrize("dtype", STORED)
def test_every_type_is_held_as_it_came_and_read_right(backend: Any, dtype: str) -> None:
    patterns = counts(dtype)
    experiment = placed(backend, patterns)
    assert experiment.patterns.dtype == STORED[dtype]
    assert experiment.patterns.nbytes == patterns.nbytes
    with backend.arena():
        measured = backend.to_host(experiment.measured(backend, backend.asarray(np.arange(COUNT, dtype=np.int32))))
    np.testing.assert_array_equal(np.fft.fftshift(measured, axes=(1, 2)), patterns.astype(np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16"])
def test_turned_cropped_surveyed_padded_resampled_and_masked_patterns_stay_small(backend: Any, dtype: str) -> None:
    source: Any = ArraySource(counts(dtype, (12, 14)))
    source = orient(source, Orientation(flip_y=True, flip_x=True, transpose=True))
    source = crop_detector(source, ((2, 12), (1, 10)))
    survey = scan(source, negative="clip", bad_pixels="mask")
    mask = np.ones(DETECTOR, bool)
    mask[4, 4] = False
    window = (32, 36)
    experiment = placed(
        backend,
        survey.source,
        window,
        mask=mask,
        pattern_padding=np.zeros((16, 18)),
        pattern_resampling=(2.0, 2.0),
    )
    assert experiment.detector_shape == window
    assert experiment.patterns.dtype == dtype
    assert experiment.patterns.nbytes == COUNT * DETECTOR[0] * DETECTOR[1] * np.dtype(dtype).itemsize


def test_a_source_is_read_without_a_wider_copy() -> None:
    """105 MB of bytes would be 420 MB of float32; they are read, slab by slab, into an array of their own type."""
    patterns = np.zeros((100, 1024, 1024), np.uint8)
    source = orient(ArraySource(patterns), Orientation(flip_x=True))
    tracemalloc.start()
    found = Held(source).whole()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.dtype == np.uint8
    assert peak < patterns.nbytes + 2 * 2**26  # the array, the slab that is put into it, and the next one
    assert Held(ArraySource(patterns)).whole() is patterns
