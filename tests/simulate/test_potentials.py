"""Projected potentials: amount, place, shape, slices and band limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import k0

from ptycupy.config.schema import Atoms
from ptycupy.simulate.potentials import POTENTIAL_PER_FACTOR, projected_potential, slice_count
from ptycupy.simulate.scattering import table
from ptycupy.simulate.structures import SILICON_A, AtomicModel, build

BOHR, CHARGE = 0.529177210903, 14.399645  # angstrom, V angstrom


def one_atom(number: int, z: float, y: float, x: float, thickness: float = 4.0) -> AtomicModel:
    return AtomicModel(np.array([number]), np.array([[z, y, x]]), thickness)


def slices_of(model: AtomicModel, shape: tuple[int, int], pixel: tuple[float, float], dz: float) -> np.ndarray:
    return np.stack(list(projected_potential(model, shape, pixel, dz)))


def test_an_atom_integrates_to_its_forward_scattering_factor() -> None:
    pixel = (0.1, 0.08)
    found = slices_of(one_atom(74, 1.0, 2.345, 3.21), (64, 80), pixel, 1.0).sum() * pixel[0] * pixel[1]
    assert found == pytest.approx(47.8776 * table()[74](np.zeros(1))[0], rel=1e-5)
    assert pytest.approx(2 * np.pi * BOHR * CHARGE, rel=1e-5) == POTENTIAL_PER_FACTOR


def test_the_potential_is_kirklands_closed_form() -> None:
    """Kirkland (2010), Eq. C.20: Bessel functions of the Lorentzians and Gaussians, away from the singular centre."""
    pixel = 0.03
    found = slices_of(one_atom(14, 0.5, 9.6, 9.6), (640, 640), (pixel, pixel), 4.0)[0]
    factor = table()[14]
    for distance in (0.6, 0.9, 1.5, 2.4):
        ring = distance + pixel * np.arange(-1, 2)  # one period of the band limit's ripple: it averages out
        lorentzians = sum(a * k0(2 * np.pi * ring * b**0.5) for a, b in factor.lorentzians)
        gaussians = sum(c / d * np.exp(-((np.pi * ring) ** 2) / d) for c, d in factor.gaussians)
        expected = np.mean(2 * np.pi**2 * BOHR * CHARGE * (2 * lorentzians + gaussians))
        columns = 320 + np.rint(ring / pixel).astype(int)
        assert found[320, columns].mean() == pytest.approx(expected, rel=0.015, abs=0.01)
        np.testing.assert_allclose(found[columns, 320], found[320, columns], rtol=1e-6)


def test_positions_between_pixels_are_exact() -> None:
    """An atom moved by a fraction of a pixel is the Fourier-shifted atom."""
    shape, pixel = (48, 40), (0.1, 0.12)
    fixed = slices_of(one_atom(34, 0.5, 2.4, 2.4), shape, pixel, 4.0)[0]
    moved = slices_of(one_atom(34, 0.5, 2.4 + 0.037, 2.4 - 0.055), shape, pixel, 4.0)[0]
    fy, fx = np.fft.fftfreq(48, 0.1)[:, None], np.fft.fftfreq(40, 0.12)
    shifted = np.fft.ifft2(np.fft.fft2(fixed) * np.exp(-2j * np.pi * (fy * 0.037 - fx * 0.055))).real
    np.testing.assert_allclose(moved, shifted, atol=1e-8 * fixed.max())
    assert np.unravel_index(fixed.argmax(), shape) == (24, 20)


def test_silicon_has_the_published_mean_inner_potential() -> None:
    """Neutral silicon atoms give 13.9 V (Kruse et al., Ultramicroscopy 96, 11 (2003), from Doyle and Turner)."""
    model = build(
        Atoms(structure="silicon", thickness_angstrom=2 * SILICON_A), (8 * SILICON_A,) * 2, np.random.default_rng(0)
    )
    field = slices_of(model, (128, 128), (8 * SILICON_A / 128,) * 2, 1.0)
    assert field.sum(0).mean() / (2 * SILICON_A) == pytest.approx(13.9, abs=0.1)


def test_atoms_lie_in_the_slice_of_their_centre() -> None:
    model = AtomicModel(np.array([6, 8, 6]), np.array([[0.2, 1, 1], [2.9, 2, 2], [-0.1, 3, 3]]), 3.5)
    found = slices_of(model, (32, 32), (0.125, 0.125), 1.0)
    totals = found.sum((1, 2)) * 0.125**2 / 47.8776
    carbon, oxygen = (float(table()[n](np.zeros(1))[0]) for n in (6, 8))
    np.testing.assert_allclose(totals, [2 * carbon, 0, oxygen, 0], rtol=1e-5, atol=1e-9)
    assert (slice_count(3.0, 1.0), slice_count(3.01, 1.0), slice_count(0.1, 1.0)) == (3, 4, 1)


def test_the_band_limit_is_two_thirds_of_nyquist() -> None:
    field = slices_of(one_atom(79, 0.5, 1.0, 1.0), (48, 64), (0.1, 0.1), 4.0)[0]
    spectrum = np.abs(np.fft.fft2(field))
    q = np.hypot(np.fft.fftfreq(48, 0.1)[:, None], np.fft.fftfreq(64, 0.1))
    assert spectrum[q > 10 / 3 + 1e-9].max() < 1e-9 * spectrum.max()
    assert spectrum[q < 10 / 3 - 1e-9].min() > 1e-3 * spectrum.max()
