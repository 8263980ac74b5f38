"""Functions of one number that kernels share, and the blocks that long arrays are worked through in."""

from __future__ import annotations

import math

from ptycupy.backends.cpu.jit import jit, jit_exact

BLOCK = 4096  # values per piece of work of a flat loop; also what makes sums independent of the number of threads

TWO_OVER_PI = 2 / math.pi
HALF_PI_HIGH = 1.57079632673412561417  # 33 bits of pi/2, so that its product with a small integer is exact
HALF_PI_LOW = 6.07710050650619224932e-11

ANY_POWER, SQUARE_ROOT, FIRST_POWER = 0, 1, 2


def power_kind(power: float) -> int:
    """Which of the specialised branches of `raised` serves this power."""
    return {0.5: SQUARE_ROOT, 1.0: FIRST_POWER}.get(power, ANY_POWER)


@jit
def block_count(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK


@jit_exact
def sincos(angle: float) -> tuple[float, float]:
    """Sine and cosine in double precision, without branches or calls so that loops over it are vectorised.

    Cody-Waite reduction to [-pi/4, pi/4] and the polynomials of fdlibm; good to 2e-16 for |angle| < 1e5.
    """
    quarters = math.floor(angle * TWO_OVER_PI + 0.5)
    x = (angle - quarters * HALF_PI_HIGH) - quarters * HALF_PI_LOW
    z = x * x
    s = 1.58969099521155010221e-10
    s = s * z - 2.50507602534068634195e-08
    s = s * z + 2.75573137070700676789e-06
    s = s * z - 1.98412698298579493134e-04
    s = s * z + 8.33333333332248946124e-03
    s = s * z - 1.66666666666666324348e-01
    sine = x + x * z * s
    c = -1.13596475577881948265e-11
    c = c * z + 2.08757232129817482790e-09
    c = c * z - 2.75573143513906633035e-07
    c = c * z + 2.48015872894767294178e-05
    c = c * z - 1.38888888888741095749e-03
    c = c * z + 4.16666666666666019037e-02
    cosine = 1.0 - 0.5 * z + z * z * c
    quadrant = int(quarters) & 3
    odd = quadrant & 1
    first = cosine if odd else sine
    second = sine if odd else cosine
    return (-first if quadrant & 2 else first), (-second if (quadrant + 1) & 2 else second)


@jit
def at_least(value: float, floor: float) -> float:
    """max(value, floor), but NaN stays NaN so that divergence is seen."""
    return floor if value < floor else value


@jit
def raised(value: float, power: float, kind: int) -> float:
    """value ** power for value >= 0."""
    if kind == SQUARE_ROOT:
        return math.sqrt(value)
    if kind == FIRST_POWER:
        return value
    return value**power  # type: ignore[no-any-return]


__all__ = ["BLOCK", "at_least", "block_count", "power_kind", "raised", "sincos"]
