"""Shapes of scans: given, stated or square; never guessed."""

from __future__ import annotations

import math

from ptycupy.data.source import PatternSource
from ptycupy.errors import DataError


def factor_pairs(count: int) -> list[tuple[int, int]]:
    """All (slow, fast) with slow * fast = count, the squarest first; slow <= fast."""
    pairs = [(slow, count // slow) for slow in range(1, math.isqrt(max(count, 0)) + 1) if count % slow == 0]
    return pairs[::-1]


def likely_shapes(count: int, limit: int = 6) -> str:
    """The squarest scans of so many patterns, for messages: "16 x 24, 12 x 32, ..." (or the other way round)."""
    pairs = factor_pairs(count)
    text = ", ".join(f"{slow} x {fast}" for slow, fast in pairs[:limit])
    return f"{text}{', ...' if len(pairs) > limit else ''}"


def square(count: int) -> tuple[int, int] | None:
    """(n, n) where count = n * n, else None."""
    side = math.isqrt(max(count, 0))
    return (side, side) if side and side * side == count else None


def require_scan_shape(source: PatternSource) -> tuple[int, int]:
    """The scan's shape, which a raster needs; DataError with the shapes that would fit where nobody said it."""
    if source.scan_shape is not None:
        return source.scan_shape
    count = source.shape[0]
    raise DataError(
        f"{source.provenance.path}: {count} patterns are no square scan and nothing says their shape; "
        f"set data.scan_shape: [slow, fast] to one of {likely_shapes(count, 12)} (or the other way round), "
        "or give positions with scan.path"
    )
