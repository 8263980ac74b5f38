"""Padding and resampling in the whole experiment: the calibration and the probe follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ptycupy.config.schema import Config
from ptycupy.data.source import ArraySource, Calibration
from ptycupy.errors import ConfigError
from ptycupy.experiment import build

SHAPE = (24, 20)


def source(**calibration: Any) -> ArraySource:
    y, x = np.ogrid[: SHAPE[0], : SHAPE[1]]
    disk = np.hypot(y - 12, x - 10) <= 4
    return ArraySource(np.random.default_rng(0).poisson(20 * disk, (9, *SHAPE)), (3, 3), Calibration(**calibration))


def config(calibration: dict[str, Any] | None = None, **data: Any) -> Config:
    return Config.model_validate(
        {
            "data": data,
            "illumination": {"voltage_kv": 80.0, "convergence_angle_mrad": 25.0},
            "calibration": calibration or {"mode": "pixel_size_angstrom", "value": (0.25, 0.3)},
            "scan": {"step_px": 3.0},
        }
    )


@pytest.mark.parametrize("mode", ["on_the_fly", "precompute"])
def test_a_pad_refines_the_pixel_and_a_resampling_keeps_it(mode: str) -> None:
    pad = {"target_shape": (48, 30), "mode": mode}
    padded, _ = build(config(pad=pad), source())
    assert padded.pixel_size == pytest.approx((0.25 * 24 / 48, 0.3 * 20 / 30))
    finer, state = build(config(resample={"factors": (2.0, 1.5), "mode": mode}), source())
    assert finer.pixel_size == pytest.approx((0.25, 0.3))
    assert state.probe.shape[1:] == (48, 30)
    both, state = build(config(pad=pad, resample={"factors": 0.5, "mode": mode}), source())
    assert both.pixel_size == pytest.approx((0.125, 0.2))
    assert state.probe.shape[1:] == (24, 15)


@pytest.mark.parametrize(
    "calibration", [{"mode": "file"}, {"mode": "fitted_disk"}, {"mode": "n_alpha", "value": (3.0, 2.5)}]
)
def test_every_calibration_refers_to_the_measured_detector(calibration: dict[str, Any]) -> None:
    given = source(dk_inverse_angstrom=(0.15, 0.15)) if calibration["mode"] == "file" else source()
    plain, _ = build(config(calibration), given)
    padded, _ = build(config(calibration, pad={"target_shape": (48, 40)}), given)
    resampled, _ = build(config(calibration, resample={"factors": 2.0}), given)
    assert padded.pixel_size == pytest.approx(tuple(size / 2 for size in plain.pixel_size))
    assert resampled.pixel_size == pytest.approx(plain.pixel_size)


def test_the_probe_has_the_intensity_of_pattern_and_background() -> None:
    _, plain = build(config(), source())
    problem, padded = build(config(pad={"target_shape": (48, 30), "value": 0.1}), source())
    background = 0.01 * (48 * 30 - 24 * 20)
    assert np.sum(problem.pattern_padding) == pytest.approx(background)
    power, before = (float(np.sum(np.abs(state.probe) ** 2)) for state in (padded, plain))
    assert power == pytest.approx(before + background, rel=1e-5)


def test_fault_33_a_bad_pixel_reaches_the_problem_and_not_the_normalisation() -> None:
    clean = source()
    patterns = np.tile(clean.patterns, (4, 1, 1)).astype(np.uint16)
    good, _ = build(config(), ArraySource(patterns, (6, 6)))
    hot = patterns.copy()
    hot[:, 3, 4] = 65535
    found, _ = build(config(), ArraySource(hot, (6, 6)))
    assert found.pattern_scale == pytest.approx(good.pattern_scale)
    assert np.argwhere(~found.mask).tolist() == [[3, 4]]
    assert good.mask is None


def test_the_noise_follows_the_seed() -> None:
    def first(seed: int) -> Any:
        given = config(noise={"electrons": 500.0})
        loop = given.reconstruction.model_copy(update={"seed": seed})
        problem, _ = build(given.model_copy(update={"reconstruction": loop}), source())
        return problem.patterns.read([0])

    np.testing.assert_array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))


def test_a_dose_per_area_needs_the_step() -> None:
    noise = {"electrons": 100.0, "per": "square_angstrom"}
    with pytest.raises(ConfigError, match=r"data\.noise\.per: square_angstrom.*scan\.step_angstrom"):
        build(config(noise=noise), source())
    problem, _ = build(config(noise=noise), source(scan_step_angstrom=(0.5, 0.4)))
    assert problem.patterns.electrons == pytest.approx(20)
    assert replace(problem).patterns.dtype == np.float32
