"""Propagation tables: physics, the carrier that is taken out, and the apertures."""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.experiment.propagation import propagation_tables


def test_angular_spectrum_is_kz_without_its_carrier():
    tables = propagation_tables((6, 5), (0.2, 0.3), 0.02, "angular_spectrum")
    k, ky, kx = 2 * np.pi / 0.02, 2 * np.pi * np.fft.fftfreq(6, 0.2), 2 * np.pi * np.fft.fftfreq(5, 0.3)
    np.testing.assert_allclose(tables.ky, ky)
    np.testing.assert_allclose(tables.kx, kx)
    expected = np.sqrt(k**2 - ky[:, None] ** 2 - kx**2) - k
    np.testing.assert_allclose(tables.base, expected, atol=1e-12)
    assert tables.aperture.all()
    assert tables.base.dtype == np.float64


def test_fresnel_is_the_paraxial_limit():
    paraxial = propagation_tables((8, 8), 0.2, 0.02, "fresnel")
    exact = propagation_tables((8, 8), 0.2, 0.02, "angular_spectrum")
    squared = paraxial.ky[:, None] ** 2 + paraxial.kx**2
    np.testing.assert_allclose(paraxial.base, -squared * 0.02 / (4 * np.pi), rtol=1e-14)
    np.testing.assert_allclose(exact.base, paraxial.base, rtol=2e-3)
    assert (exact.base <= paraxial.base).all()


@pytest.mark.parametrize("propagator", ["angular_spectrum", "fresnel"])
def test_evanescent_waves_vanish(propagator):
    tables = propagation_tables((16, 16), 0.5, 2.0, propagator)
    squared = tables.ky[:, None] ** 2 + tables.kx**2
    np.testing.assert_array_equal(tables.aperture, squared <= np.pi**2)
    assert 0 < tables.aperture.sum() < 256
    assert np.isfinite(tables.base).all()
    assert not tables.base[tables.aperture == 0].any()


def test_anti_aliasing_stops_at_two_thirds_of_the_smaller_nyquist_frequency():
    tables = propagation_tables((24, 32), (0.1, 0.2), 0.02, anti_aliasing=True)
    radius = np.hypot(tables.ky[:, None], tables.kx)
    np.testing.assert_array_equal(tables.aperture == 1, radius <= 2 / 3 * np.pi / 0.2)
