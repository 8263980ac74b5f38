"""An X-ray experiment from its configuration: a zone plate, a detector at a distance, or a near field."""

import numpy as np
import pytest

from ptycupy import config as configuration
from ptycupy.data.source import ArraySource
from ptycupy.errors import ConfigError
from ptycupy.experiment import build

BEAM = {"kind": "xray", "energy_kev": 8.8, "modes": 1}
PLATE = {"outer_radius_um": 90, "outer_zone_width_nm": 50, "central_stop_um": 60, "focus_to_sample_um": 40}
SCAN = {"step_angstrom": 3000.0}


def built(changes, detector=(64, 64)):
    config = configuration.from_dict({"data": {"path": "scan.npy"}, "scan": SCAN, "illumination": BEAM, **changes})
    patterns = np.random.default_rng(0).poisson(5.0, (16, *detector)).astype(np.uint16)
    return build(config, ArraySource(patterns, scan_shape=(4, 4)))


def test_zone_plate_in_the_far_field():
    """75 um pixels 2 m away at 8.8 keV: lambda z / (N dx) = 1.409 angstrom * 2 m / (64 * 75 um) = 587 angstrom..."""
    problem, state = built(
        {
            "illumination": {**BEAM, "zone_plate": PLATE},
            "calibration": {"mode": "detector_pixel_um", "value": 75.0, "distance_m": 5.0},
        },
        detector=(256, 256),
    )
    wavelength = 12.398419843320026 / 8.8
    assert problem.wavelength == pytest.approx(wavelength)
    assert problem.pixel_size == pytest.approx((wavelength * 5e10 / (256 * 75e4),) * 2)
    spectrum = np.abs(np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(state.probe[0]))))
    assert spectrum[128, 128] < 0.2 * spectrum.max()
    mean_total = problem.patterns.read(range(16)).sum() / 16 * problem.pattern_scale
    assert np.sum(np.abs(state.probe) ** 2) == pytest.approx(mean_total, rel=1e-3)


def test_near_field_starts_from_a_plane_wave():
    problem, state = built(
        {
            "model": {"near_field_distance_mm": 2.0},
            "calibration": {"mode": "pixel_size_angstrom", "value": 1000.0},
        }
    )
    assert problem.near_field_distance == pytest.approx(2e7)
    assert problem.pixel_size == (1000.0, 1000.0)
    assert np.ptp(np.abs(state.probe[0])) < 1e-6


def test_contradictions_are_refused():
    electrons = {"kind": "electron", "voltage_kv": 300.0, "convergence_angle_mrad": 20.0, "zone_plate": PLATE}
    with pytest.raises(ConfigError, match="focuses X-rays"):
        built({"illumination": electrons, "calibration": {"mode": "pixel_size_angstrom", "value": 0.2}})
    with pytest.raises(ConfigError, match="distance_m: missing"):
        built(
            {"illumination": {**BEAM, "zone_plate": PLATE}, "calibration": {"mode": "detector_pixel_um", "value": 75.0}}
        )
    with pytest.raises(ConfigError, match="the near field needs pixel_size_angstrom"):
        built(
            {
                "model": {"near_field_distance_mm": 2.0},
                "calibration": {"mode": "dk_inverse_angstrom", "value": 1e-5},
            }
        )
