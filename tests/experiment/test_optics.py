"""Wavelengths, the interaction constant and frequency grids against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import electron_wavelength, frequencies, interaction_constant, xray_wavelength


@pytest.mark.parametrize(("kv", "expected"), [(80, 0.0417572), (300, 0.0196875), (200, 0.0250793)])
def test_electron_wavelength(kv, expected):
    assert electron_wavelength(kv) == pytest.approx(expected, abs=1e-7)


def test_xray_wavelength_of_8_kev():
    assert xray_wavelength(8.0) == pytest.approx(1.5498, abs=1e-4)


@pytest.mark.parametrize(("kv", "expected"), [(100, 0.9244e-3), (300, 0.6526e-3)])
def test_interaction_constant(kv, expected):
    assert interaction_constant(kv) == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("value", [0, -80, float("nan"), float("inf")])
def test_impossible_energies_are_refused(value):
    for function in (electron_wavelength, xray_wavelength, interaction_constant):
        with pytest.raises(ConfigError, match="must be positive"):
            function(value)


def test_frequencies_start_at_zero_with_nyquist_negative():
    np.testing.assert_allclose(frequencies(4, 0.5), [0, 0.5, -1, -0.5])
    np.testing.assert_allclose(frequencies(3, 1.0), [0, 1 / 3, -1 / 3])
