"""Aberration notations: equal physics, and refusals that name what was meant."""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.errors import ConfigError
from ptycupy.experiment.aberrations import HAIDER, chi, coefficients


def same(left, right):
    a, b = coefficients(left), coefficients(right)
    assert a.keys() == b.keys()
    for order in a:
        assert a[order] == pytest.approx(b[order], rel=1e-12)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"defocus": 150.0}, {"C10": -150.0}),
        ({"Cs": 5000.0}, {"C30": 5000.0}),
        ({"C1": 3.0, "C3": 4.0, "C5": 5.0}, {"C10": 3.0, "C30": 4.0, "C50": 5.0}),
        ({"C12": 5.0, "phi12": np.degrees(np.arctan2(4, 3)) / 2}, {"C12a": 3.0, "C12b": 4.0}),
        ({"A1": 10.0, "A1phi": 30.0}, {"C12": 10.0, "phi12": 30.0}),
        ({"B2": 10.0, "B2phi": 20.0}, {"C21": 30.0, "phi21": 20.0}),
        ({"S3": 10.0}, {"C32": 40.0}),
        ({"B4": 1.0, "D4": 1.0, "D4phi": 15.0}, {"C41": 5.0, "C43": 5.0, "phi43": 15.0}),
        ({"S5": 1.0, "R5": 2.0, "A5": 3.0}, {"C52": 6.0, "C54": 12.0, "C56": 3.0}),
        ({"A2": 1.0, "A3": 2.0, "A4": 3.0}, {"C23": 1.0, "C34": 2.0, "C45": 3.0}),
    ],
)
def test_notations_agree(left, right):
    same(left, right)


def test_every_haider_term_exists_and_is_possible():
    assert len(coefficients(dict.fromkeys(HAIDER, 1.0))) == len(HAIDER)
    assert all(0 <= m <= n + 1 and (n + m) % 2 == 1 for n, m, _ in HAIDER.values())


def test_chi_is_the_sum_of_the_textbook_terms():
    wavelength, ky, kx = 0.02, np.array([[0.3], [-0.7]]), np.array([[0.1, 0.5, -0.2]])
    a, phi = wavelength * np.hypot(ky, kx), np.arctan2(ky, kx)
    expected = (
        -200 * a**2 / 2
        + 30 * a**2 / 2 * np.cos(2 * (phi - np.radians(25)))
        + 5e4 * a**4 / 4
        + 7e5 * a**5 / 5 * np.cos(3 * (phi + np.radians(10)))
    )
    aberrations = {"defocus": 200.0, "C12": 30.0, "phi12": 25.0, "C30": 5e4, "C43": 7e5, "phi43": -10.0}
    np.testing.assert_allclose(chi(aberrations, wavelength, ky, kx), 2 * np.pi / wavelength * expected, rtol=1e-12)


def test_no_aberrations_have_no_phase():
    assert not chi({}, 0.02, np.ones((3, 1)), np.ones((1, 2))).any()


@pytest.mark.parametrize(
    "aberrations",
    [
        {"C10": 1.0, "defocus": 1.0},
        {"C10": 1.0, "C1": 1.0},
        {"C12": 1.0, "C12a": 1.0},
        {"C12a": 1.0, "phi12": 1.0},
        {"A1": 1.0, "phi12": 1.0},
        {"Cs": 1.0, "C3": 1.0},
    ],
)
def test_two_notations_of_one_term_are_refused(aberrations):
    first, second = aberrations
    with pytest.raises(ConfigError, match=f"{first} and {second} both describe"):
        coefficients(aberrations)


@pytest.mark.parametrize(("key", "meant"), [("defocsu", "defocus"), ("c30", "C30"), ("A1_phi", "A1phi"), ("cs", "Cs")])
def test_unknown_names_get_a_suggestion(key, meant):
    with pytest.raises(ConfigError, match=f"unknown name '{key}', did you mean '{meant}'"):
        coefficients({key: 1.0})


def test_a_name_like_nothing_shows_what_names_look_like():
    with pytest.raises(ConfigError, match=r"unknown name 'zzzzzzz'; names look like C10"):
        coefficients({"zzzzzzz": 1.0})


@pytest.mark.parametrize(
    ("key", "right"), [("C11", "0 or 2"), ("C14", "0 or 2"), ("C20", "1 or 3"), ("phi33", "0 or 2 or 4")]
)
def test_impossible_symmetries_are_refused(key, right):
    with pytest.raises(ConfigError, match=f"second number is {right}"):
        coefficients({key: 1.0})


@pytest.mark.parametrize("key", ["phi10", "C30a", "C1phi"])
def test_round_terms_have_no_angle(key):
    with pytest.raises(ConfigError, match=key):
        coefficients({key: 1.0})


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ConfigError, match="C10: nan"):
        coefficients({"C10": float("nan")})
