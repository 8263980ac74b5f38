"""Every step between file and model against NumPy and SciPy on whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from ptycupy.config.schema import Data
from ptycupy.data import ArraySource, PatternSource
from ptycupy.data.blur import ScanBlur
from ptycupy.data.noise import NoisySource
from ptycupy.data.pad import background
from ptycupy.data.prepare import Prepared, prepare, without_negative
from ptycupy.data.preprocess import intensity_scale, scan
from ptycupy.data.resample import ResamplePatterns
from ptycupy.errors import ConfigError, DataError

Array = np.ndarray[Any, Any]
SCAN = (5, 7)
PATTERNS = np.random.default_rng(8).integers(0, 300, (35, 12, 9)).astype(np.uint16)
STEP = (0.5, 0.4)


def prepared(patterns: Array = PATTERNS, mask: Array | None = None, **data: Any) -> Prepared:
    section = Data(path="x.h5", **data)
    survey = scan(ArraySource(patterns, SCAN), mask=mask)
    scale = intensity_scale(survey, section.normalisation, section.normalisation_divisor)
    return prepare(survey, section, scale, STEP, lambda: np.random.SeedSequence(3))


def whole(source: PatternSource) -> Array:
    return source.read(np.arange(source.shape[0]))


def by_slabs(source: PatternSource, size: int) -> Array:
    values = np.full(source.shape, np.nan)
    for part, slab in source.slabs(size):
        assert len(slab) <= size
        values[part] = slab
    return values


def test_nothing_asked_for_changes_nothing() -> None:
    found = prepared()
    assert whole(found.source).dtype == np.uint16
    np.testing.assert_array_equal(whole(found.source), PATTERNS)
    assert (found.mask, found.padding, found.resampling, found.detector) == (None, None, None, (12, 9))
    total = PATTERNS.sum((1, 2)).mean() / PATTERNS.mean(0).max()
    assert found.mean_total == pytest.approx(total)


def test_normalisation_by_a_constant() -> None:
    found = prepared(normalisation="divide", normalisation_divisor=250.0)
    assert found.mean_total == pytest.approx(PATTERNS.sum((1, 2)).mean() / 250)
    with pytest.raises(ConfigError, match="normalisation_divisor"):
        prepared(normalisation="divide")


@pytest.mark.parametrize("always", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_negative_values_by_a_given_value(always: bool, signed: bool) -> None:
    patterns = PATTERNS.astype(np.float32)
    if signed:
        patterns[3, 2, 1] = -4
    acts = always or signed
    for policy, expected in (
        ("clip_value", np.where(patterns < 20, 0, patterns)),
        ("subtract_value", np.maximum(patterns - 20, 0)),
    ):
        data = Data(path="x.h5", negative=policy, negative_value=20.0, negative_always=always)
        found = whole(without_negative(ArraySource(patterns), data, None))
        np.testing.assert_allclose(found, expected if acts else patterns)


def test_a_positive_minimum_is_subtracted_where_that_is_always_wanted() -> None:
    patterns = PATTERNS + np.uint16(7)
    assert whole(scan(ArraySource(patterns), "subtract_min").source).min() == 7
    survey = scan(ArraySource(patterns), "subtract_min", always=True)
    np.testing.assert_array_equal(whole(survey.source), PATTERNS)
    np.testing.assert_allclose(survey.mean_pattern, PATTERNS.mean(0))


@pytest.mark.parametrize("std", [0.3, 1.1, 4.0])  # the last reaches beyond the scan
def test_blur_over_the_scan_as_scipy(std: float) -> None:
    found = prepared(source_blur_angstrom=std * 0.4)
    cube = PATTERNS.reshape(*SCAN, 12, 9).astype(float)
    slow = ndimage.gaussian_filter1d(cube, std * 0.8, axis=0, mode="reflect")
    expected = ndimage.gaussian_filter1d(slow, std, axis=1, mode="reflect").reshape(PATTERNS.shape)
    np.testing.assert_allclose(whole(found.source), expected, rtol=1e-5)
    np.testing.assert_allclose(by_slabs(found.source, 4), expected, rtol=1e-5)
    np.testing.assert_allclose(found.source.read([30, 2, 30]), expected[[30, 2, 30]], rtol=1e-5)
    assert found.mean_total == pytest.approx(expected.sum((1, 2)).mean() / PATTERNS.mean(0).max())


def test_blur_over_the_scan_holds_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = np.tile(PATTERNS, (4, 1, 1))
    blurred = ScanBlur(ArraySource(patterns, (20, 7)), (0.5, 0.5))
    read: list[int] = []
    plain = ArraySource.read
    monkeypatch.setattr(ArraySource, "read", lambda self, indices: (read.append(len(indices)), plain(self, indices))[1])
    by_slabs(blurred, 7)
    assert set(read) == {7}
    assert len(read) == 20  # every row once


def test_blur_over_the_scan_leaves_out_patterns_without_weight() -> None:
    patterns = np.full((35, 3, 3), 6.0)
    patterns[17] = 0
    survey = scan(ArraySource(patterns, SCAN))
    found = prepare(survey, Data(path="x.h5", source_blur_angstrom=0.4), 1.0, STEP, lambda: np.random.SeedSequence(0))
    np.testing.assert_allclose(whole(found.source), 6.0, rtol=1e-6)


def test_blur_over_the_scan_needs_the_step() -> None:
    survey = scan(ArraySource(PATTERNS, SCAN))
    with pytest.raises(ConfigError, match=r"source_blur_angstrom.*scan\.step_angstrom"):
        prepare(survey, Data(path="x.h5", source_blur_angstrom=0.4), 1.0, None, lambda: np.random.SeedSequence(0))


def test_blur_over_the_detector_as_scipy_and_pixels_it_is_made_of() -> None:
    mask = np.ones((12, 9), bool)
    mask[5, 4] = False
    found = prepared(mask=mask, detector_blur_px=0.5)
    expected = ndimage.gaussian_filter(PATTERNS.astype(float), (0, 0.5, 0.5), mode="reflect")
    np.testing.assert_allclose(whole(found.source), expected, rtol=1e-5)
    near = np.zeros((12, 9), bool)
    near[3:8, 2:7] = True  # truncated at 4 standard deviations: 2 px
    np.testing.assert_array_equal(found.mask, ~near)


def test_noise_has_the_right_statistics_and_does_not_depend_on_how_it_is_read() -> None:
    patterns = np.full((35, 40, 30), 5.0, np.float32)
    patterns[2, 3, 4] = np.nan
    survey = scan(ArraySource(patterns, SCAN))
    data = Data(path="x.h5", noise={"electrons": 4800.0})
    found = prepare(survey, data, 1.0, None, lambda: np.random.SeedSequence(11)).source
    noisy = whole(found)
    np.testing.assert_array_equal(by_slabs(found, 3), noisy)
    np.testing.assert_array_equal(found.read([20, 3]), noisy[[20, 3]])
    assert np.isnan(noisy[2, 3, 4])
    counts = np.delete(noisy, 2, 0) * (4800 / 1200) / 5
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-4)
    assert counts.mean() == pytest.approx(4, rel=0.01)
    assert counts.var() == pytest.approx(4, rel=0.03)
    other = NoisySource(found.base, np.random.SeedSequence(12), found.electrons, found.mean_total)
    assert not np.array_equal(whole(other)[0], noisy[0])


def test_noise_by_the_area_of_a_scan_step() -> None:
    found = prepared(noise={"electrons": 1e4, "per": "square_angstrom"}).source
    assert found.electrons == pytest.approx(1e4 * 0.5 * 0.4)


@pytest.mark.parametrize("factor", [2, 3, 0.5, 1.5])
def test_resampling_as_scipy_zoom_with_its_sum_preserved(factor: float) -> None:
    patterns = np.random.default_rng(0).random((2, 12, 8))
    found = ResamplePatterns((factor, factor))(patterns)
    expected = [ndimage.zoom(p, factor, order=1, mode="nearest", grid_mode=True) / factor**2 for p in patterns]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    if factor in (2, 3, 0.5):
        np.testing.assert_allclose(found.sum((1, 2)), patterns.sum((1, 2)), rtol=1e-6)


def test_resampled_pixels_count_only_if_all_that_they_are_made_of_do() -> None:
    mask = np.ones((12, 9), bool)
    mask[4, 4] = False
    found = prepared(mask=mask, resample={"factors": [2.0, 1.0], "mode": "precompute"})
    expected = np.ones((24, 9), bool)
    expected[7:11, 4] = False
    np.testing.assert_array_equal(found.mask, expected)
    assert found.sampling == (2, 1)
    with pytest.raises(ConfigError, match="leaves nothing"):
        prepared(resample={"factors": 0.01})


def mean_amplitude() -> Array:
    y, x = (np.arange(n) - n // 2 for n in (20, 14))
    return 3 * np.exp(-0.2 * np.hypot(y[:, None], x[None, :]))


def section(**pad: Any) -> Any:
    return Data(path="x.h5", pad={"target_shape": (31, 24), **pad}).pad


@pytest.mark.parametrize(
    ("kind", "numpy_pad"),
    [
        ("constant", {"mode": "constant", "constant_values": 0.3}),
        ("edge", {"mode": "edge"}),
        ("linear_ramp", {"mode": "linear_ramp", "end_values": 0.3}),
    ],
)
def test_backgrounds_continue_the_amplitude(kind: str, numpy_pad: dict[str, Any]) -> None:
    amplitude = mean_amplitude()
    found = background(section(kind=kind, value=0.3), amplitude**2)
    sides = ((5, 6), (5, 5))  # 31 // 2 - 20 // 2 and the rest; 24 // 2 - 14 // 2
    expected = np.pad(amplitude, sides, **numpy_pad) ** 2
    expected[5:25, 5:19] = 0
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["exponential", "power"])
def test_fitted_backgrounds_find_the_curve_that_the_mean_pattern_follows(kind: str) -> None:
    y, x = (np.arange(n) - n // 2 for n in (20, 14))
    outer_y, outer_x = (np.arange(n) - n // 2 for n in (31, 24))

    def curve(r: Array) -> Array:
        return 3 * np.exp(-0.2 * r) if kind == "exponential" else 3 * (r + 1e-10) ** -1.3

    amplitude = np.minimum(curve(np.hypot(y[:, None], x[None, :])), 2.0)
    mask = np.ones((20, 14), bool)
    mask[0, 0] = False
    amplitude[0, 0] = 0  # a pixel that is masked must not draw the fit
    found = background(section(kind=kind), amplitude**2, mask)
    expected = curve(np.hypot(outer_y[:, None], outer_x[None, :])) ** 2
    expected[5:25, 5:19] = 0
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_fit_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"data\.pad\.kind: power.*threshold_percentile"):
        background(section(kind="power", threshold_percentile=0.0), np.arange(1.0, 281).reshape(20, 14))

    def fails(*arguments: Any, **keywords: Any) -> None:
        raise RuntimeError("Optimal parameters not found")

    with monkeypatch.context() as patched:
        patched.setattr("scipy.optimize.curve_fit", fails)
        with pytest.raises(DataError, match=r"data\.pad\.kind: exponential: the fit .* failed.*edge or constant"):
            background(section(kind="exponential"), mean_amplitude() ** 2)
    with pytest.raises(ConfigError, match=r"target_shape: 31 x 24 px is smaller .* 40 x 40"):
        background(section(), np.ones((40, 40)))


@pytest.mark.parametrize("mode", ["on_the_fly", "precompute"])
def test_padding_adds_its_background_to_the_total(mode: str) -> None:
    found = prepared(pad={"target_shape": (17, 16), "value": 0.1, "mode": mode})
    scale = 1 / PATTERNS.mean(0).max()
    total = PATTERNS.sum((1, 2)).mean() * scale + 0.01 * (17 * 16 - 12 * 9)
    assert found.mean_total == pytest.approx(total)
    assert found.detector == (17, 16)
    assert found.source.shape[1:] == ((17, 16) if mode == "precompute" else (12, 9))
    assert (found.padding is None) == (mode == "precompute")
    if mode == "precompute":
        padded = whole(found.source) * scale
        assert padded[0, 0, 0] == pytest.approx(0.01)
        np.testing.assert_allclose(padded[:, 2:14, 4:13], PATTERNS * scale, rtol=1e-6)


def test_steps_come_in_the_order_of_ptyrad() -> None:
    found = prepared(
        pad={"target_shape": (16, 16), "mode": "precompute"},
        resample={"factors": 2.0, "mode": "precompute"},
        source_blur_angstrom=0.2,
        detector_blur_px=0.5,
        noise={"electrons": 100.0},
    )
    steps = [step.split()[0:3] for step in found.source.provenance.steps]
    assert steps == [
        ["pad", "the", "detector"],
        ["resample", "the", "detector"],
        ["blur", "the", "scan"],
        ["blur", "the", "detector"],
        ["Poisson", "noise", "of"],
    ]
    assert found.source.shape[1:] == found.detector == (32, 32)
