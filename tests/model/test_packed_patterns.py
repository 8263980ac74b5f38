"""Packed patterns give the same numbers bit by bit as dense ones: as measured, in gradients, and in whole runs."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Constraint, Engine, Settings
from ptycupy.data import ArraySource
from ptycupy.data.counts import PackedPatterns, count_of, pack
from ptycupy.errors import DataError
from ptycupy.model.experiment import place
from ptycupy.model.parameters import upload

FORMS = ("dense", "packed", "events")
COUNT, DETECTOR = 7, (11, 10)
RATES = {"object_amplitude": 1e-3, "object_phase": 1e-3, "probe": 1e-3, "shifts": 1e-2, "tilts": 1e-2}


@pytest.fixture(params=["cpu", "cuda"])
def backend(request: pytest.FixtureRequest, cpu_backend: Any, host_cuda_backend: Any) -> Any:
    return {"cpu": cpu_backend, "cuda": host_cuda_backend}[request.param]


def counts(dtype: Any = np.uint16) -> Any:
    random = np.random.default_rng(5)
    patterns = random.poisson(1.5, (COUNT, *DETECTOR)).astype(dtype)
    patterns[1, 4, 4], patterns[3, 0, 9], patterns[2] = 25, 110, 0
    return patterns


@pytest.mark.parametrize("dtype", ["uint8", "int32", "uint32", "float16", "float32", "float64"])
def test_measured_patterns_are_the_same_bits(backend: Any, dtype: str) -> None:
    """Scaled, masked, padded, resampled and left out as dense ones are, in float32 and float64."""
    random = np.random.default_rng(6)
    mask, weights = random.random(DETECTOR) < 0.9, np.arange(COUNT) != 4
    plain = {"mask": mask, "pattern_scale": random.uniform(0.3, 2, COUNT), "pattern_weights": weights}
    padded = {"pattern_padding": random.uniform(0, 1, (16, 13)), "pattern_resampling": (1.5, 2.0)}
    for real in ("float32", "float64"):
        device = backend(real)
        for extra, window in (({}, DETECTOR), (padded, (24, 26))):
            problem, state = random_scene(positions=COUNT, window=window, detector=DETECTOR, slices=1)
            problem, parameters = replace(problem, patterns=counts(dtype), **plain, **extra), upload(device, state)
            found = []
            for storage in FORMS:
                experiment = place(device, replace(problem, pattern_storage=storage), parameters)
                assert isinstance(experiment.patterns, PackedPatterns) == (storage != "dense")
                with device.arena():
                    everything = device.asarray(np.arange(COUNT, dtype=np.int32)[::-1])
                    found.append(device.to_host(experiment.measured(device, everything)).tobytes())
            assert found[1] == found[0]
            assert found[2] == found[0]


def test_a_whole_run_is_the_same_bits(backend: Any) -> None:
    """Two iterations in sub-batches: every refined field, every loss, and what ties a checkpoint to its data."""
    problem, state = random_scene(positions=COUNT, window=DETECTOR, slices=2, object_modes=1)
    problem = replace(problem, patterns=counts(), pattern_scale=0.05)
    settings = Settings(
        {"gaussian": {}, "poisson": {"weight": 0.1}, "pacbed": {}},
        learning_rates=RATES,
        constraints=[Constraint("orthogonal_probe"), Constraint("positive_phase")],
        batch_size=4,
        sub_batch=3,
    )
    found = []
    for storage in FORMS:
        engine = Engine(replace(problem, pattern_storage=storage), state, settings, backend("float32"))
        before = engine.state.object_phase.tobytes()
        engine.run(2)
        fields = {name: np.asarray(value).tobytes() for name, value in engine.state.items()}
        assert fields["object_phase"] != before
        found.append({**fields, "losses": np.asarray(engine.history.total).tobytes(), "mark": engine.fingerprint})
    for other in found[1:]:
        assert [name for name, value in other.items() if value != found[0][name]] == []


def test_graphs_replay_packed_patterns(kernel_folder: Any) -> None:
    """Three iterations as graphs have the bits of three without, from events as from dense patterns."""
    from cuda_on_cpu.host_device import HostDevice

    from ptycupy.backends.cuda import CudaBackend

    problem, state = random_scene(positions=COUNT, window=DETECTOR, slices=2, object_modes=1)
    problem = replace(problem, patterns=counts(), pattern_scale=0.05)
    settings = Settings({"gaussian": {}}, learning_rates=RATES, batch_size=4)
    found = []
    for storage, graphs in (("dense", "off"), ("events", "on")):
        backend = CudaBackend(HostDevice(kernel_folder), "float32", graphs=graphs)
        engine = Engine(replace(problem, pattern_storage=storage), state, settings, backend)
        engine.run(3)
        assert ("graph" in backend._device.calls) == (graphs == "on")
        found.append({name: np.asarray(value).tobytes() for name, value in engine.state.items()})
    assert found[1] == found[0]


def test_patterns_may_come_packed(cpu_backend: Any) -> None:
    """As a program has them that counts electrons itself."""
    problem, state = random_scene(positions=COUNT, window=DETECTOR)
    source, kept = ArraySource(counts()), (np.ones(DETECTOR, bool), np.ones(COUNT, bool))
    packed = pack(source, count_of(source, *kept), 2, *kept)
    engines = [
        Engine(replace(problem, patterns=patterns), state, Settings({"gaussian": {}}), cpu_backend("float32"))
        for patterns in (source.patterns, packed)
    ]
    everything = np.arange(COUNT)
    np.testing.assert_array_equal(engines[1].measured(everything), engines[0].measured(everything))
    assert engines[1].fingerprint == engines[0].fingerprint


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (counts(), "packed, 2 bits per pixel, larger counts listed, 377 bytes instead of 1.5 KiB as "),
        (counts() // 20, "events, "),
        (counts() + 0.5, "no whole numbers"),
        (counts(np.uint32) + 70000, "counts up to 70110, which no form packs into less"),
    ],
)
def test_auto_says_what_it_took_and_what_for(
    cpu_backend: Any, caplog: pytest.LogCaptureFixture, patterns: Any, said: str
) -> None:
    problem, state = random_scene(positions=COUNT, window=DETECTOR)
    problem = replace(problem, patterns=patterns, pattern_storage="auto")
    with caplog.at_level(logging.INFO, logger="ptycupy"):
        place(cpu_backend("float32"), problem, upload(cpu_backend("float32"), state))
    (line,) = [record.getMessage() for record in caplog.records if "on the device" in record.getMessage()]
    assert said in line
    assert str(patterns.dtype) in line


def test_what_packing_cannot_hold_is_refused(cpu_backend: Any) -> None:
    problem, state = random_scene(positions=COUNT, window=DETECTOR)
    problem = replace(problem, patterns=counts() + 0.5, pattern_storage="events")
    with pytest.raises(DataError, match="no whole numbers, which data.device_storage: events cannot hold exactly"):
        place(cpu_backend("float32"), problem, upload(cpu_backend("float32"), state))
