"""Aberrations of the probe-forming lens in Krivanek's and Haider's notations.

Magnitudes are in angstrom, angles in degrees. chi = 2 pi / lambda sum C_nm a^(n+1) cos(m (phi - phi_nm)) / (n+1).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ptycupy.errors import ConfigError
from ptycupy.experiment.optics import frequencies

Float = NDArray[np.float64]
Order = tuple[int, int]  # (n, m): the order in angle is n + 1, the azimuthal symmetry m

# Haider's name -> (n, m, Krivanek's magnitude per Haider's). The 4 of B4 and D4 is PtyRAD's, for equal parameter files;
# the wave aberration function of Uhlemann and Haider (1998) would give 5.
# Factors from chi = 2 pi / lambda Re(... + B4 w^3 w*^2 + D4 w^4 w* ...): C41 = 5 B4 and C43 = 5 D4, where PtyRAD has 4.
HAIDER: dict[str, tuple[int, int, float]] = {
    "C1": (1, 0, 1), "A1": (1, 2, 1),
    "B2": (2, 1, 3), "A2": (2, 3, 1),
    "C3": (3, 0, 1), "S3": (3, 2, 4), "A3": (3, 4, 1),
    "B4": (4, 1, 5), "D4": (4, 3, 5), "A4": (4, 5, 1),
    "C5": (5, 0, 1), "S5": (5, 2, 6), "R5": (5, 4, 6), "A5": (5, 6, 1),
}  # fmt: skip
ALIASES: dict[str, tuple[str, float]] = {"defocus": ("C10", -1.0), "Cs": ("C30", 1.0)}
KRIVANEK = re.compile(r"(C|phi)(\d)(\d)([ab]?)")


class _Part(NamedTuple):
    """One entry of the mapping: which term it belongs to and what it says about it."""

    order: Order
    kind: str  # "magnitude", "angle", "a" or "b"
    value: float
    notation: str


def coefficients(aberrations: Mapping[str, float]) -> dict[Order, complex]:
    """Every term's C_nm exp(i m phi_nm) in angstrom, by (n, m).

    Keys are Krivanek's polar (`C12`, `phi12`) or cartesian (`C12a`, `C12b`) names, Haider's (`A1`, `A1phi`), `defocus`
    (= -C10) and `Cs` (= C30). Raises ConfigError for an unknown or impossible name, for a term given in two notations,
    and for a value that is not finite.
    """
    terms: dict[Order, dict[str, tuple[str, _Part]]] = {}
    for key, value in aberrations.items():
        part = _parse(key, float(value))
        if not math.isfinite(part.value):
            raise ConfigError(f"illumination.aberrations.{key}: {value!r} is not a finite number")
        term = terms.setdefault(part.order, {})
        for other, (name, earlier) in term.items():
            if earlier.notation != part.notation or other == part.kind:
                n, m = part.order
                raise ConfigError(
                    f"illumination.aberrations: {name} and {key} both describe C{n}{m}; keep one notation of this term"
                )
        term[part.kind] = (key, part)
    return {
        order: _combine(order, {kind: part.value for kind, (_, part) in term.items()}) for order, term in terms.items()
    }


def chi(aberrations: Mapping[str, float], wavelength: float, ky: Float, kx: Float) -> Float:
    """Phase chi in rad at the frequencies ky, kx (1/angstrom, arrays that broadcast); the wave is exp(-i chi)."""
    angle, azimuth = wavelength * np.hypot(ky, kx), np.arctan2(ky, kx)
    total = np.zeros(np.broadcast_shapes(ky.shape, kx.shape))
    for (n, m), value in coefficients(aberrations).items():
        total += angle ** (n + 1) / (n + 1) * (value.real * np.cos(m * azimuth) + value.imag * np.sin(m * azimuth))
    return 2 * np.pi / wavelength * total


def aberration_basis(
    names: Sequence[str], wavelength: float, window: tuple[int, int], pixel_size: tuple[float, float]
) -> Float:
    """chi per angstrom of each named coefficient [K, y, x], zero frequency in the corner.

    Raises ConfigError for an angle, which has no effect of its own: C12a and C12b are the parts of C12.
    """
    ky, kx = (frequencies(n, size) for n, size in zip(window, pixel_size, strict=True))
    for name in names:
        if not any(coefficients({name: 1.0}).values()):
            raise ConfigError(
                f"illumination.refined_aberrations: {name} is an angle; refine C12a and C12b, for example"
            )
    return np.array([chi({name: 1.0}, wavelength, ky[:, None], kx[None, :]) for name in names])


def _combine(order: Order, values: Mapping[str, float]) -> complex:
    if "a" in values or "b" in values:
        return complex(values.get("a", 0.0), values.get("b", 0.0))
    turn = math.radians(order[1] * values.get("angle", 0.0))
    return values.get("magnitude", 0.0) * complex(math.cos(turn), math.sin(turn))


def _parse(key: str, value: float) -> _Part:
    if key in ALIASES:
        name, scale = ALIASES[key]
        return _Part((int(name[1]), int(name[2])), "magnitude", scale * value, key)
    base = key.removesuffix("phi")
    if base in HAIDER:
        n, m, scale = HAIDER[base]
        if base == key:
            return _Part((n, m), "magnitude", scale * value, "Haider")
        if m > 0:
            return _Part((n, m), "angle", value, "Haider")
    found = KRIVANEK.fullmatch(key)
    if found is None or (found[1] == "phi" and found[4]):
        raise ConfigError(f"illumination.aberrations: unknown name {key!r}{_suggestion(key)}")
    n, m = int(found[2]), int(found[3])
    if n < 1 or m > n + 1 or (n + m) % 2 == 0:
        raise ConfigError(
            f"illumination.aberrations.{key}: there is no C{n}{m}; the second number is {_symmetries(n)} for order {n}"
        )
    if m == 0 and (found[1] == "phi" or found[4]):
        raise ConfigError(f"illumination.aberrations.{key}: C{n}0 is round and has no angle; write C{n}0 alone")
    kind = found[4] or ("angle" if found[1] == "phi" else "magnitude")
    return _Part((n, m), kind, value, "cartesian" if found[4] else "polar")


def _symmetries(n: int) -> str:
    allowed = [str(m) for m in range((n + 1) % 2, n + 2, 2)] if n > 0 else []
    return " or ".join(allowed) if allowed else "nothing"


def known_names() -> tuple[str, ...]:
    """All names up to fifth order."""
    names = [*ALIASES]
    for haider, (n, m, _) in HAIDER.items():
        names += [haider, f"C{n}{m}"]
        if m > 0:
            names += [f"{haider}phi", f"phi{n}{m}", f"C{n}{m}a", f"C{n}{m}b"]
    return tuple(names)


def _suggestion(key: str) -> str:
    lower = {name.lower(): name for name in known_names()}
    close = difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.5)
    return (
        f", did you mean {lower[close[0]]!r}?"
        if close
        else "; names look like C10, C12, phi12, C12a, A1, A1phi, defocus"
    )
