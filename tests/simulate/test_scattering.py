"""The table of scattering factors against values that were published or are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from ptycupy.errors import DataError
from ptycupy.simulate.scattering import atomic_number, table

BOHR = 0.529177210903
MOTT_BETHE = 1 / (2 * np.pi**2 * BOHR)  # f = MOTT_BETHE (Z - f_x) / q^2, angstrom and 1/angstrom

# f(0) in angstrom: the sums of a_i of P. A. Doyle, P. S. Turner, Acta Cryst. A24, 390 (1968), table 4(a).
DOYLE_TURNER = {"C": 2.507, "O": 1.982, "Si": 5.819, "Cu": 5.589, "Ag": 8.655, "Au": 10.558}


@pytest.mark.parametrize("symbol", DOYLE_TURNER)
def test_forward_scattering_is_that_of_doyle_and_turner(symbol: str) -> None:
    factor = table()[atomic_number(symbol)]
    assert factor(np.zeros(1))[0] == pytest.approx(DOYLE_TURNER[symbol], rel=0.012)


def test_hydrogen_is_the_exact_solution_at_all_angles() -> None:
    q = np.linspace(0.05, 4.0, 80)
    x_ray = 1 / (1 + (np.pi * BOHR * q) ** 2) ** 2
    exact = MOTT_BETHE * (1 - x_ray) / q**2
    np.testing.assert_allclose(table()[1](q**2), exact, rtol=0.025)


def test_every_element_scatters_like_its_nucleus_at_high_angles() -> None:
    """Mott-Bethe: f q^2 -> Z / (2 pi^2 a0), which also catches a mistyped row."""
    for number in range(1, 104):
        factor = table()[number]
        assert factor(np.array([144.0]))[0] * 144.0 == pytest.approx(MOTT_BETHE * number, rel=0.07), factor.symbol


def test_every_element_is_positive_and_falls() -> None:
    q2 = np.linspace(0, 12, 500) ** 2
    assert sorted(table()) == list(range(1, 104))
    for factor in table().values():
        values = factor(q2)
        assert values[-1] > 0
        assert (np.diff(values) < 1e-6).all(), factor.symbol


def test_elements_are_found_by_symbol_and_by_number() -> None:
    assert [atomic_number(text) for text in ("H", "se", "W", "PU", "74")] == [1, 34, 74, 94, 74]
    for unknown in ("Xx", "0", "104", "", "-1", "²"):
        with pytest.raises(DataError, match="unknown element"):
            atomic_number(unknown)
