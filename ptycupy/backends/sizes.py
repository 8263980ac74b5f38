"""Window sizes that have transforms of our own."""

from __future__ import annotations

# n = n1 n2; both are multiples of the eight neighbours that the CPU's transforms take at a time.
FACTORS = {64: (8, 8), 128: (16, 8), 256: (16, 16), 512: (32, 16)}
WHOLE_WAVES = (64, 128)  # sides of square windows whose waves may stay in the shared memory of a GPU
PADDING = 16  # reals behind each row of a wave: rows at powers of two would share a few lines of the CPU's cache


def has_own_transforms(window: tuple[int, ...]) -> bool:
    """Whether windows of this size [y, x] do."""
    return all(n in FACTORS for n in window)


__all__ = ["FACTORS", "PADDING", "WHOLE_WAVES", "has_own_transforms"]
