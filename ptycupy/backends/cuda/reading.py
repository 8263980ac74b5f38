"""What kernels are given of measured patterns and of a likelihood."""

from __future__ import annotations

from typing import Any

from ptycupy.backends.interface.losses import Likelihood, Measured, StoredPatterns
from ptycupy.data.counts import PackedPatterns


def pattern_arguments(measured: Measured) -> tuple[Any, ...]:
    """Those from `stored` to `padded_width`: kernels/patterns.cuh."""
    if not isinstance(measured, StoredPatterns):
        shape = measured.shape[1:]
        return (measured, *[None] * 9, 0, 0, *shape, *shape)
    stored, sizes = measured.stored, measured.mask.shape
    how = (measured.indices, measured.slots, measured.scale, measured.mask, measured.weights, measured.background)
    if not isinstance(stored, PackedPatterns):
        return (stored, *how, None, None, None, 0, 0, *stored.shape[1:], *sizes)
    row_words = 0 if stored.words is None else stored.words.shape[1]
    packed = (stored.words, stored.offsets, stored.extras, stored.bits, row_words)
    return (stored.pixels, *how, *packed, *stored.detector_shape, *sizes)


def likelihood_arguments(likelihood: Likelihood) -> tuple[int, float, float]:
    """Those from `poisson` to `eps`: kernels/residual.cuh."""
    return (int(likelihood.kind == "poisson"), likelihood.power, likelihood.eps)


__all__ = ["likelihood_arguments", "pattern_arguments"]
