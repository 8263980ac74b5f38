"""Constraints: projections applied once per iteration, after all batches, in a fixed order.

A constraint is an object called with (backend, parameters, context) that changes the parameters in place; every
per-pixel step is a kernel of the backend. relax = 1 means no constraint, 0 the full one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Any

from ptycupy.errors import ConfigError
from ptycupy.update.constraints.interface import Constrain, Context
from ptycupy.update.constraints.object import AmplitudeThreshold, DepthBlur, LateralBlur, PositivePhase
from ptycupy.update.constraints.positions import PositionRecentring
from ptycupy.update.constraints.probe import FixedProbeIntensity, OrthogonalProbe
from ptycupy.update.settings import Constraint

# In the order in which they run (PtyRAD 1.0.0's own).
CONSTRAINTS: dict[str, Callable[..., Constrain]] = {
    "orthogonal_probe": OrthogonalProbe,
    "fixed_probe_intensity": FixedProbeIntensity,
    "lateral_blur": LateralBlur,
    "depth_blur": DepthBlur,
    "amplitude_threshold": AmplitudeThreshold,
    "positive_phase": PositivePhase,
    "position_recentring": PositionRecentring,
}


def make_constraint(constraint: Constraint) -> Constrain:
    """The callable behind a Constraint; a user's own comes from the entry-point group `ptycupy.constraints`.

    Raises ConfigError for an unknown name or parameter.
    """
    if constraint.name in CONSTRAINTS:
        factory: Any = CONSTRAINTS[constraint.name]
        known = [field.name for field in fields(factory)]
        for key in constraint.parameters:
            if key not in known:
                raise ConfigError(
                    f"constraint {constraint.name}: unknown parameter {key!r}; known are {', '.join(known) or 'none'}"
                )
    else:
        own = {entry.name: entry for entry in entry_points(group="ptycupy.constraints")}
        if constraint.name not in own:
            raise ConfigError(f"constraint {constraint.name!r}: unknown; known are {', '.join([*CONSTRAINTS, *own])}")
        factory = own[constraint.name].load()
    made: Constrain = factory(**constraint.parameters)
    return made


def in_order(constraints: list[Constraint] | tuple[Constraint, ...]) -> list[Constraint]:
    """The constraints as they run: the known ones in their fixed order, a user's own after them as given."""
    order = list(CONSTRAINTS)
    return sorted(constraints, key=lambda c: order.index(c.name) if c.name in order else len(order))


__all__ = ["CONSTRAINTS", "Constrain", "Context", "in_order", "make_constraint"]
