"""Window sizes that have transforms of our own."""

from __future__ import annotations

# n = n1 n2; both are multiples of the eight neighbours that the CPU's transforms take at a time.
FACTORS = {64: (8, 8), 128: (16, 8), 256: (16, 16), 512: (32, 16)}
WHOLE_WAVES = (64, 128)  # sides of square windows whose waves may stay in the shared memory of a GPU
PADDING = 16  # reals behind each row of a wave: rows at powers of two would share a few lines of the CPU's cache
EVEN = 0.75  # of the threads' time at least is work


def has_own_transforms(window: tuple[int, ...]) -> bool:
    """Whether windows of this size [y, x] do."""
    return all(n in FACTORS for n in window)


def by_patterns(patterns: int, threads: int) -> bool:
    """Whether a batch is shared out among the threads of a CPU pattern by pattern, or wave by wave: few patterns would
    leave threads idle."""
    return patterns >= EVEN * threads * -(-patterns // threads)


__all__ = ["FACTORS", "PADDING", "WHOLE_WAVES", "by_patterns", "has_own_transforms"]
