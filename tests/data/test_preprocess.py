"""The survey against whole-array NumPy, and rows 30 to 34 of the fault list."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from ptycupy.data import ArraySource, preprocess
from ptycupy.data.preprocess import intensity_scale, scan
from ptycupy.errors import DataError

GOOD = np.random.default_rng(5).integers(0, 500, (11, 16, 12))


@pytest.fixture(autouse=True)
def small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preprocess, "SLAB_BYTES", 3 * 16 * 12 * 8)


def source(values: np.ndarray[Any, Any]) -> ArraySource:
    return ArraySource(values)


def whole(survey: preprocess.Survey) -> np.ndarray[Any, Any]:
    return survey.source.read(np.arange(survey.source.shape[0]))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float16", "float32", "float64", "bool"])
def test_statistics_of_clean_patterns(dtype: str, caplog: pytest.LogCaptureFixture) -> None:
    values = (GOOD % 200).astype(dtype)
    given = source(values)
    survey = scan(given)
    assert survey.source is given
    np.testing.assert_allclose(survey.mean_pattern, values.astype(float).mean(0), rtol=1e-14)
    np.testing.assert_allclose(survey.total_intensity, values.astype(float).sum((1, 2)), rtol=1e-14)
    assert (survey.minimum, survey.maximum) == (values.min(), values.max())
    assert survey.weights.all()
    assert survey.empty.size == 0
    assert (survey.nonfinite.count, survey.negative.count) == (0, 0)
    assert not caplog.records


def test_no_more_than_a_slab_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    slabs = ArraySource.slabs
    monkeypatch.setattr(ArraySource, "slabs", lambda self, size: (sizes.append(size), slabs(self, size))[1])
    scan(source(GOOD))
    assert sizes == [3]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_fault_30_rare_nonfinite_pixels_are_counted_located_and_left_out(
    bad: float, caplog: pytest.LogCaptureFixture
) -> None:
    values = GOOD.astype(np.float32) + 1
    values[7, 3, 4] = bad
    survey = scan(source(values))
    assert survey.nonfinite.count == 1
    assert survey.nonfinite.places == ((7, 3, 4),)
    expected = np.where(np.isfinite(values), values, np.nan).astype(float)
    np.testing.assert_allclose(survey.mean_pattern, np.nanmean(expected, 0))
    np.testing.assert_allclose(survey.total_intensity, np.nansum(expected, (1, 2)))
    assert survey.minimum >= 1
    assert "1 in 1 patterns, the first at pattern 7 pixel (3, 4)" in caplog.text
    assert survey.negative.count == 0
    assert not np.isfinite(whole(survey)[7, 3, 4])  # left for the backend, which does not count it


def test_fault_30_many_nonfinite_pixels_are_refused() -> None:
    values = GOOD.astype(np.float32)
    values[2:4, 0] = np.nan
    with pytest.raises(DataError, match=r"1\.14 % .*24 in 2 patterns, the first at pattern 2 pixel \(0, 0\).*0\.1 %"):
        scan(source(values))


def test_fault_30_masked_pixels_may_be_anything() -> None:
    values = GOOD.astype(np.float32) + 1
    values[:, 0], values[:, 1] = np.nan, -50
    mask = np.ones((16, 12), bool)
    mask[:2] = False
    survey = scan(source(values), "error", mask)
    assert (survey.nonfinite.count, survey.negative.count) == (0, 0)
    assert survey.minimum == values[:, 2:].min()
    np.testing.assert_allclose(survey.mean_pattern[2:], values[:, 2:].mean(0, dtype=float))
    assert not survey.mean_pattern[:2].any()
    with pytest.raises(DataError, match="a mask of"):
        scan(source(values), mask=mask.T)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_fault_31_negative_counts_are_clipped_with_their_number(dtype: str, caplog: pytest.LogCaptureFixture) -> None:
    values = (GOOD % 100).astype(dtype)
    values[4, 2, 1], values[9, 0, 0] = -3, -7
    before = values.copy()
    survey = scan(source(values), "clip")
    clipped = np.maximum(values, 0)
    np.testing.assert_array_equal(whole(survey), clipped)
    assert survey.source.dtype == (np.uint32 if dtype == "int64" else dtype)
    np.testing.assert_allclose(survey.mean_pattern, clipped.mean(0, dtype=float))
    np.testing.assert_allclose(survey.total_intensity, clipped.sum((1, 2), dtype=float))
    assert survey.negative.count == 2
    assert survey.negative.places == ((4, 2, 1), (9, 0, 0))
    assert "clipped to 0: negative values down to -7" in caplog.text
    assert "clip negative values to 0" in survey.source.provenance.steps
    np.testing.assert_array_equal(values, before)


def test_fault_31_clipping_keeps_nan_for_the_backend() -> None:
    values = GOOD.astype(np.float32)
    values[0, 0, :2] = np.nan, -1
    clipped = whole(scan(source(values)))
    assert np.isnan(clipped[0, 0, 0])
    assert clipped[0, 0, 1] == 0


@pytest.mark.parametrize(("dtype", "after"), [("int16", "uint16"), ("int8", "uint8"), ("float32", "float32")])
def test_fault_31_subtract_min(dtype: str, after: str) -> None:
    values = (GOOD % 100).astype(dtype)
    values[3, 1, 1], values[5, 0, 0] = -120, 127
    survey = scan(source(values), "subtract_min")
    expected = values.astype(float) + 120
    assert survey.source.dtype == after
    np.testing.assert_array_equal(whole(survey), expected)
    np.testing.assert_allclose(survey.mean_pattern, expected.mean(0))
    np.testing.assert_allclose(survey.total_intensity, expected.sum((1, 2)))


def test_fault_31_error_policy() -> None:
    values = GOOD.copy()
    values[1, 2, 3] = -4
    with pytest.raises(DataError, match=r"down to -4 .*1 in 1 patterns.*pattern 1 pixel \(2, 3\).*data\.negative"):
        scan(source(values), "error")
    scan(source(GOOD), "error")


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_fault_32_all_zero_data_set(dtype: str) -> None:
    with pytest.raises(DataError, match="all 11 patterns are zero"):
        scan(source(np.zeros_like(GOOD, dtype=dtype)))


def test_fault_32_only_negative_values() -> None:
    with pytest.raises(DataError, match="all 11 patterns are zero|no pattern holds a positive"):
        scan(source(np.full((11, 16, 12), -2, np.int16)))
    with pytest.raises(DataError, match="all 11 patterns are zero|no pattern holds a positive"):
        scan(source(np.full((11, 16, 12), -2, np.int16)), "subtract_min")


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_fault_32_all_zero_pattern_gets_weight_0(dtype: str, caplog: pytest.LogCaptureFixture) -> None:
    values = GOOD.astype(dtype)
    values[[2, 8]] = 0
    survey = scan(source(values))
    assert survey.empty.tolist() == [2, 8]
    np.testing.assert_allclose(survey.mean_pattern, values[survey.weights].mean(0, dtype=float))
    assert "2 of 11 patterns are all zero and get weight 0: 2, 8" in caplog.text


@pytest.mark.parametrize("scale", [1e30, 1e-12])
def test_fault_34_absurd_scale_warns_and_stays_finite(scale: float, caplog: pytest.LogCaptureFixture) -> None:
    values = (GOOD * (scale / 250)).astype(np.float32)
    survey = scan(source(values))
    assert "check the units" in caplog.text
    scaled = values * np.float32(intensity_scale(survey))
    assert np.isfinite(scaled).all()
    assert 1 <= scaled.max() < 3


def test_values_that_overflow_even_a_double_are_refused() -> None:
    with pytest.raises(DataError, match="overflow"):
        scan(source(np.full((11, 16, 12), 1e307)))


@pytest.mark.parametrize(("dtype", "largest", "after"), [("int64", 2**33, "float64"), ("uint64", 2**32 - 1, "uint32")])
def test_integers_wider_than_a_backend_takes(dtype: str, largest: int, after: str) -> None:
    values = GOOD.astype(dtype)
    values[0, 0, 0] = largest
    survey = scan(source(values))
    assert survey.source.dtype == after
    np.testing.assert_array_equal(whole(survey), values)


def test_intensity_scales() -> None:
    survey = scan(source(GOOD))
    mean = GOOD.mean(0)
    assert intensity_scale(survey) == pytest.approx(1 / mean.max())
    assert intensity_scale(survey, "mean_at_one") == pytest.approx(1 / mean.mean())
    assert intensity_scale(survey, "sum_to_one") == pytest.approx(1 / mean.sum())
    assert intensity_scale(survey, "none") == 1


def test_warnings_go_through_logging_only(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    values = GOOD.astype(np.float32)
    values[0, 0, 0], values[1, 0, 0] = np.nan, -1
    values[5] = 0
    scan(source(values))
    assert {record.name for record in caplog.records} == {"ptycupy.data.preprocess"}
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert len(caplog.records) == 3
    assert capsys.readouterr().out == ""
