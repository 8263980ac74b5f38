"""Checks of how the loss went."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ptycupy.analysis.diagnosis.case import Case, Finding

LEAST_ITERATIONS = 8
OFTEN = 0.35  # share of the later iterations in which the loss rose
RISE = 1e-2  # relative: less is the batches' noise, which are drawn anew (measured: 3e-3)
STILL = 5e-5  # relative change of the loss per iteration that is none (the star's: 1e-4)
FALLING = 5e-3


def loss_rises(case: Case) -> Finding | None:
    """The loss went up and down: the steps are too long."""
    later = _later(case)
    if later is None:
        return None
    rises = float(np.mean(np.diff(later) > RISE * later[:-1]))
    if rises < OFTEN:
        return None
    rates = {name: values[-1] for name, values in case.snapshot.history.learning_rates.items() if values[-1] > 0}
    largest = max(rates, key=lambda name: rates[name], default="object_phase")
    return Finding(
        f"the loss rose in {100 * rises:.0f} % of the later iterations",
        f"smaller learning rates, for example optimizer.{largest}: {rates.get(largest, 5e-4) / 3:.2g}",
    )


def wasted_iterations(case: Case) -> Finding | None:
    """The last half of the iterations changed nothing."""
    later = _later(case)
    if later is None or np.ptp(later) > RISE * later[0]:
        return None
    middle = len(later) // 2
    if later[middle:].mean() < (1 - STILL * len(later)) * later[:middle].mean():
        return None
    before = case.snapshot.iteration - len(later)
    return Finding(
        f"the loss has not changed since iteration {before}",
        f"reconstruction.iterations: {before}, or larger learning rates where the image is not yet sharp",
    )


def still_falling(case: Case) -> Finding | None:
    """The loss was still falling at the end."""
    later = _later(case)
    if later is None:
        return None
    part = later[-max(3, len(later) // 2) :]
    fall = 1 - (part[-1] / part[0]) ** (1 / (len(part) - 1))
    if not fall > FALLING:
        return None
    return Finding(
        f"the loss still falls by {100 * fall:.1f} % per iteration",
        f"reconstruction.iterations: {2 * case.snapshot.iteration} (with --resume it goes on from here)",
    )


def _later(case: Case) -> NDArray[np.float64] | None:
    """The loss of the later half; None where it is short, or not positive."""
    loss = np.asarray(case.snapshot.history.total, np.float64)
    if len(loss) < LEAST_ITERATIONS or not (np.isfinite(loss).all() and (loss > 0).all()):
        return None
    return loss[len(loss) // 2 :]
