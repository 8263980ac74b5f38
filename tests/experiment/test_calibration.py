"""Calibration modes: all say the same of one detector; contradictions are refused with the four numbers."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from ptycupy.config.schema import Calibration
from ptycupy.errors import ConfigError
from ptycupy.experiment.calibration import Known, bright_disk, calibrate, disk_radius, radius_of
from ptycupy.experiment.optics import electron_wavelength

WAVELENGTH, ANGLE, N, DX = electron_wavelength(80), 24.9, 64, 0.25
DK = 1 / (N * DX)
K_MAX = DK * N / 2
DISK = ANGLE * 1e-3 / WAVELENGTH / DK  # px


def disk_pattern(shape=(N, N), radius=DISK):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (np.hypot(y - shape[0] // 2, x - shape[1] // 2) <= radius).astype(float)


def known(**changes):
    values = {"raw_detector": (N, N), "detector": (N, N), "wavelength": WAVELENGTH, "convergence_angle": ANGLE}
    return Known(**{**values, **changes})


@pytest.mark.parametrize(
    ("mode", "value"),
    [
        ("pixel_size_angstrom", DX),
        ("pixel_size_angstrom", (DX, DX)),
        ("dk_inverse_angstrom", DK),
        ("k_max_inverse_angstrom", K_MAX),
        ("da_mrad", DK * WAVELENGTH * 1e3),
        ("angle_max_mrad", K_MAX * WAVELENGTH * 1e3),
        ("n_alpha", K_MAX * WAVELENGTH * 1e3 / ANGLE),
        ("disk_radius_px", DISK),
    ],
)
def test_every_mode_gives_the_same_pixel_size(mode, value):
    geometry = calibrate(Calibration(mode=mode, value=value), known())
    assert geometry.pixel_size == pytest.approx((DX, DX), rel=1e-12)
    assert geometry.dk == pytest.approx((DK, DK), rel=1e-12)
    assert geometry.window == (N, N)


def test_the_fitted_disk_is_the_area_above_half_the_maximum():
    assert disk_radius(disk_pattern(radius=12.0)) == pytest.approx(12.0, rel=0.02)
    geometry = calibrate(Calibration(), known(mean_pattern=disk_pattern()))
    assert geometry.pixel_size == pytest.approx((DX, DX), rel=0.03)


@pytest.mark.parametrize("harm", ["few electrons", "hot pixel", "bragg peak", "dark outside", "negative background"])
def test_the_bright_disk_is_found_whatever_the_maximum_is(harm, caplog):
    clean = disk_pattern(radius=12.0) + 1e-3 * disk_pattern().max()
    pattern = clean.copy()
    if harm == "few electrons":  # some 200 patterns of 60 electrons
        pattern = np.random.default_rng(1).poisson(clean / clean.sum() * 12000) / 200
    elif harm == "hot pixel":
        pattern[3, 4] = 300 * clean.max()
    elif harm == "bragg peak":
        pattern[N // 2 - 1 : N // 2 + 2, N // 2 - 1 : N // 2 + 2] *= 8
    elif harm == "dark outside":
        pattern[clean < 0.5 * clean.max()] = 0
    else:
        pattern -= 5e-3 * clean.max()
    assert radius_of(bright_disk(pattern)) == pytest.approx(12.0, rel=0.03)
    calibrate(Calibration(), known(mean_pattern=pattern))
    warned = "calibration: {mode: disk_radius_px, value: 1" in caplog.text
    assert warned == (harm in ("few electrons", "hot pixel", "bragg peak"))


def test_the_files_own_calibration():
    geometry = calibrate(Calibration(mode="file"), known(file_dk=(DK, DK / 2)))
    assert geometry.pixel_size == pytest.approx((DX, 2 * DX))


def test_none_speaks_in_pixels():
    geometry = calibrate(Calibration(mode="none"), Known((N, N), (N, N)))
    assert geometry.pixel_size is None
    assert geometry.wavelength is None


def test_numbers_refer_to_the_raw_detector_and_a_crop_keeps_dk():
    cropped = known(detector=(32, 48))
    for mode, value in (("pixel_size_angstrom", DX), ("k_max_inverse_angstrom", K_MAX), ("dk_inverse_angstrom", DK)):
        geometry = calibrate(Calibration(mode=mode, value=value), cropped)
        assert geometry.pixel_size == pytest.approx((DX * N / 32, DX * N / 48), rel=1e-12)


def test_a_larger_window_refines_the_pixel_where_the_detector_is_cropped_out_of_it():
    geometry = calibrate(Calibration(mode="pixel_size_angstrom", value=DX), known(), (96, 128), "crop")
    assert geometry.pixel_size == pytest.approx((DX * N / 96, DX * N / 128))
    assert geometry.dk == pytest.approx((DK, DK))


def test_a_larger_window_widens_the_view_where_it_is_resampled():
    geometry = calibrate(Calibration(mode="pixel_size_angstrom", value=DX), known(), (96, 128), "resample")
    assert geometry.pixel_size == pytest.approx((DX, DX))


def test_a_window_smaller_than_a_cropped_detector_is_refused():
    with pytest.raises(ConfigError, match="48 x 64 px cannot be cropped to the detector's 64 x 64 px"):
        calibrate(Calibration(mode="none"), known(), (48, 64))


@pytest.mark.parametrize("shape", [(64, 48), (61, 47), (1, 64)])
def test_fault_38_rectangular_odd_and_prime_detectors(shape):
    geometry = calibrate(Calibration(mode="dk_inverse_angstrom", value=DK), Known(shape, shape, WAVELENGTH))
    assert geometry.pixel_size == pytest.approx((1 / (shape[0] * DK), 1 / (shape[1] * DK)))


def test_one_maximum_for_a_rectangular_detector_is_ambiguous():
    with pytest.raises(ConfigError, match=r"ambiguous on the rectangular detector of 64 x 48 px"):
        calibrate(Calibration(mode="angle_max_mrad", value=40.0), known(raw_detector=(64, 48), detector=(64, 48)))
    pair = Calibration(mode="k_max_inverse_angstrom", value=(K_MAX, K_MAX * 0.75))
    geometry = calibrate(pair, known(raw_detector=(64, 48), detector=(64, 48)))
    assert geometry.dk == pytest.approx((DK, DK))


FOUR_NUMBERS = r"pixel size \S+ x \S+ angstrom, 64 x 64 px, wavelength \S+ angstrom, k_max \S+ x \S+ 1/angstrom"


def test_fault_37_an_aperture_larger_than_the_detector_is_refused_with_the_four_numbers():
    wide = known(convergence_angle=K_MAX * WAVELENGTH * 1e3 * 1.1)
    with pytest.raises(ConfigError, match=r"larger than the detector \(2 1/angstrom\): " + FOUR_NUMBERS):
        calibrate(Calibration(mode="pixel_size_angstrom", value=DX), wide)
    touching = known(convergence_angle=K_MAX * WAVELENGTH * 1e3)
    assert calibrate(Calibration(mode="pixel_size_angstrom", value=DX), touching).pixel_size


def test_fault_37_a_pixel_size_that_disagrees_with_the_file_is_refused_with_the_four_numbers():
    section = Calibration(mode="pixel_size_angstrom", value=DX)
    with pytest.raises(ConfigError, match=r"but the data file says 0\.125 x 0\.125 1/angstrom: " + FOUR_NUMBERS):
        calibrate(section, known(file_dk=(2 * DK, 2 * DK)))
    assert calibrate(section, known(file_dk=(1.02 * DK, DK))).dk == pytest.approx((DK, DK))


def test_fault_37_a_wavelength_that_disagrees_with_the_file_is_refused_with_the_four_numbers():
    section = Calibration(mode="pixel_size_angstrom", value=DX)
    with pytest.raises(ConfigError, match=r"but the data file says 0\.019687. angstrom: " + FOUR_NUMBERS):
        calibrate(section, known(file_wavelength=electron_wavelength(300)))


def test_fault_37_a_disk_that_disagrees_with_the_aperture_is_a_warning(caplog):
    section = Calibration(mode="pixel_size_angstrom", value=DX)
    with caplog.at_level(logging.WARNING):
        calibrate(section, known(mean_pattern=disk_pattern()))
        assert not caplog.text
        calibrate(section, known(mean_pattern=disk_pattern(radius=DISK * 2)))
    assert "bright disk" in caplog.text
    assert "k_max" in caplog.text


@pytest.mark.parametrize(
    ("mode", "value", "changes", "message"),
    [
        ("pixel_size_angstrom", None, {}, r"calibration\.value: missing"),
        ("fitted_disk", None, {}, "needs measured patterns"),
        ("file", None, {}, "states no detector sampling"),
        ("da_mrad", 1.0, {"wavelength": None}, "voltage_kv"),
        ("n_alpha", 2.0, {"convergence_angle": None}, "convergence_angle_mrad"),
        ("disk_radius_px", 12.0, {"convergence_angle": None}, "mode: none works in pixels"),
    ],
)
def test_what_a_mode_lacks_is_named(mode, value, changes, message):
    with pytest.raises(ConfigError, match=message):
        calibrate(Calibration(mode=mode, value=value), known(**changes))
