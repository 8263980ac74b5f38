"""Checks of what was measured."""

from __future__ import annotations

from ptycupy.analysis.diagnosis.case import Case, Finding

FEW = 0.01  # of the detector: more are an exposure that was too long


def saturated(case: Case) -> Finding | None:
    """Pixels that take part have reached the largest value of the detector: they hold less than was there."""
    seen = case.observed
    if seen is None or not seen.saturated:
        return None
    share = seen.saturated / seen.mean_pattern.size
    few = share < FEW
    return Finding(
        f"{seen.saturated} pixels, {100 * share:.2g} % of the detector, stand at its largest value in many patterns",
        "data.bad_pixels: mask" if few else "data.mask_path: a mask without them, and a shorter exposure next time",
    )
