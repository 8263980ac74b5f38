"""Row 33: pixels that do not measure are found, and what genuine diffraction looks like is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ptycupy.data import ArraySource
from ptycupy.data.preprocess import Survey, scan
from ptycupy.errors import DataError

N, SHAPE = 60, (40, 36)
Array = np.ndarray[Any, Any]


def disk_patterns(counts: float = 400.0, dtype: str = "uint16") -> Array:
    """Poisson counts of a bright disk with a weak halo; the corners stay dark."""
    y, x = (np.arange(n) - n // 2 for n in SHAPE)
    radius = np.hypot(y[:, None], x[None, :])
    mean = counts / (1 + np.exp((radius - 8) / 0.4)) + 0.02 * counts * np.exp(-radius / 3)
    return np.random.default_rng(4).poisson(mean, (N, *SHAPE)).astype(dtype)


def survey(patterns: Array, policy: Any = "mask", mask: Array | None = None) -> Survey:
    return scan(ArraySource(patterns), mask=mask, bad_pixels=policy)


def left_out(found: Survey) -> list[tuple[int, ...]]:
    return [] if found.mask is None else [tuple(place) for place in np.argwhere(~found.mask).tolist()]


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "float32"])
@pytest.mark.parametrize("counts", [0.5, 20.0, 400.0, 20000.0])
def test_fault_33_clean_patterns_keep_all_their_pixels(
    counts: float, dtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert survey(disk_patterns(counts, dtype)).mask is None
    assert not caplog.records


def test_fault_33_saturated_hot_and_dead_pixels_are_masked_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    patterns = disk_patterns()
    expected = patterns.astype(float)
    patterns[:, 20, 18] = patterns[:, 20, 19] = 65535
    patterns[:, 16, 15] = 0  # in the disk
    patterns[:, 2, 3] = np.random.default_rng(1).poisson(90, N)  # hot, in the dark
    found = survey(patterns)
    assert left_out(found) == [(2, 3), (16, 15), (20, 18), (20, 19)]
    assert "2 saturated at (20, 18), (20, 19); 1 hot at (2, 3); 1 dead at (16, 15)" in caplog.text
    assert "data.bad_pixels" in caplog.text
    assert len(caplog.records) == 1
    good = found.mask
    np.testing.assert_allclose(found.mean_pattern[good], expected.mean(0)[good])
    np.testing.assert_allclose(found.total_intensity, expected[:, good].sum(1))
    assert found.maximum < 65535


@pytest.mark.parametrize("ceiling", [255, 1023, 4095, 16383])
def test_fault_33_the_ceiling_of_a_converter_below_that_of_the_type(ceiling: int) -> None:
    patterns = disk_patterns(ceiling / 4)
    patterns[: N // 2, 21, 17] = ceiling
    assert left_out(survey(patterns)) == [(21, 17)]
    patterns[: N // 2, 21, 17] = ceiling - 1  # no ceiling: a bright pixel
    assert survey(patterns).mask is None


def test_fault_33_bright_single_pixels_that_shine_at_times_are_no_defects() -> None:
    patterns = disk_patterns(20.0)
    patterns[5, 10, 10], patterns[9, 30, 20] = 65535, 65535  # two cosmic rays
    assert survey(patterns).mask is None


def test_fault_33_a_clipped_exposure_is_warned_of_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    patterns = np.minimum(disk_patterns(2000), 255).astype(np.uint8)
    assert survey(patterns).mask is None
    assert "the exposure is clipped" in caplog.text


def test_fault_33_sharp_bragg_spots_and_a_direct_beam_are_kept() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    mean = np.zeros(SHAPE)
    for cy, cx, height in ((20, 18, 900.0), (20, 9, 200.0), (11, 18, 150.0), (29, 27, 80.0)):
        mean += height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 0.6**2))
    patterns = np.random.default_rng(2).poisson(mean, (N, *SHAPE)).astype(np.uint16)
    assert survey(patterns).mask is None


def test_fault_33_dark_corners_and_a_beam_stop_are_not_called_dead() -> None:
    patterns = disk_patterns()
    patterns[:, 18:23, 16:21] = 0
    assert survey(patterns).mask is None


def test_fault_33_a_dark_gap_between_chips_is_masked() -> None:
    patterns = disk_patterns()
    patterns[:, 19:21] = 0
    patterns[:, :, 17] = 0
    mask = survey(patterns).mask
    assert mask is not None
    expected = np.ones(SHAPE, bool)
    expected[19:21] = expected[:, 17] = False
    np.testing.assert_array_equal(mask, expected)


def test_fault_33_error_and_ignore() -> None:
    patterns = disk_patterns()
    patterns[:, 20, 18] = 65535
    assert survey(patterns, "ignore").mask is None
    with pytest.raises(DataError, match=r"1 saturated at \(20, 18\); data\.bad_pixels: mask"):
        survey(patterns, "error")


def test_fault_33_a_given_mask_is_kept_and_its_pixels_are_not_judged(caplog: pytest.LogCaptureFixture) -> None:
    patterns = disk_patterns()
    patterns[:, 20, 18], patterns[:, 16, 15] = 65535, 0
    mask = np.ones(SHAPE, bool)
    mask[20, 18] = mask[0] = False
    found = survey(patterns, mask=mask)
    mask[16, 15] = False
    np.testing.assert_array_equal(found.mask, mask)
    assert "saturated" not in caplog.text


def test_few_patterns_are_not_judged() -> None:
    patterns = disk_patterns()[:10]
    patterns[:, 20, 18], patterns[:, 16, 15] = 65535, 0
    assert survey(patterns).mask is None
