"""The zone plate's focus against the aperture's, and its own geometry."""

import math

import numpy as np
import pytest

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import xray_wavelength
from ptycupy.experiment.probe import aperture_probe
from ptycupy.experiment.zone_plate import focal_length, zone_plate_probe

WAVELENGTH = xray_wavelength(8.8)
RADIUS, ZONE = 90e4, 500.0  # 90 um, 50 nm
PIXEL = 100.0  # 10 nm


def test_focal_length_of_a_textbook_zone_plate():
    """Attwood: f = D dr / lambda; 180 um and 50 nm at 8.8 keV are 63.9 mm."""
    assert focal_length(WAVELENGTH, RADIUS, ZONE) * 1e-7 == pytest.approx(63.88, rel=1e-3)


@pytest.mark.parametrize("shape", [(128, 128), (96, 121)])
@pytest.mark.parametrize("defocus_um", [0.0, 50.0, -80.0])
def test_without_a_stop_it_is_a_defocused_aperture(shape, defocus_um):
    """Only the curvature over the window differs, which is a phase. Downstream of the focus is overfocus, C10 > 0."""
    length, distance = focal_length(WAVELENGTH, RADIUS, ZONE), defocus_um * 1e4
    probe = zone_plate_probe(WAVELENGTH, shape, PIXEL, RADIUS, ZONE, focus_to_sample=distance)
    angle = 1e3 * RADIUS / (length + distance)
    c10 = distance * (length + distance) / length
    expected = aperture_probe(WAVELENGTH, angle, shape, PIXEL, {"C10": c10})
    assert np.sum(np.abs(probe) ** 2) == pytest.approx(1)
    np.testing.assert_allclose(np.abs(probe), np.abs(expected), atol=1e-9)


def test_direct_fresnel_integral():
    """Against the integral summed pixel by pixel in one dimension less: a centred column through the focus."""
    n, distance = 48, focal_length(WAVELENGTH, RADIUS, ZONE) + 40e4
    stop = 60e4
    probe = zone_plate_probe(WAVELENGTH, (n, n), PIXEL, RADIUS, ZONE, central_stop_diameter=stop, focus_to_sample=40e4)
    step = WAVELENGTH * distance / (n * PIXEL)
    u = (np.arange(n) - n // 2) * step
    squared = u[:, None] ** 2 + u[None, :] ** 2
    lens = -math.pi * squared / (WAVELENGTH * focal_length(WAVELENGTH, RADIUS, ZONE))
    pupil = np.where((squared <= RADIUS**2) & (squared >= (stop / 2) ** 2), np.exp(1j * lens), 0)
    wave = []
    for x in (-5, 0, 7):
        path = math.pi * ((u[:, None] - x * PIXEL) ** 2 + u[None, :] ** 2) / (WAVELENGTH * distance)
        wave.append(np.sum(pupil * np.exp(1j * path)))
    found = probe[[n // 2 + x for x in (-5, 0, 7)], n // 2]
    ratio = found / np.array(wave)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="before the zone plate"):
        zone_plate_probe(WAVELENGTH, (64, 64), PIXEL, RADIUS, ZONE, focus_to_sample=-1e12)
    with pytest.raises(ConfigError, match="leaves nothing open"):
        zone_plate_probe(WAVELENGTH, (64, 64), PIXEL, RADIUS, ZONE, central_stop_diameter=2 * RADIUS)
    with pytest.raises(ConfigError, match="beyond the"):
        zone_plate_probe(WAVELENGTH, (64, 64), 1000.0, RADIUS, ZONE)
