"""Adam's correction for moments that begin at zero."""

from __future__ import annotations

import math


def corrected(learning_rate: float, step: int, beta1: float, beta2: float) -> tuple[float, float]:
    """step_size = rate / (1 - beta1^step) and root_scale = 1 / sqrt(1 - beta2^step), steps counted from 1."""
    return learning_rate / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)


__all__ = ["corrected"]
