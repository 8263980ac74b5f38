"""Constraints as an engine runs them."""

from __future__ import annotations

from ptycupy.errors import ConfigError
from ptycupy.model.parameters import Parameters
from ptycupy.update.constraints import Constrain, in_order, make_constraint
from ptycupy.update.settings import Active, Settings


def constraints_of(settings: Settings, parameters: Parameters) -> list[tuple[Active, Constrain]]:
    """The constraints as they run; ConfigError where settings do not fit the parameters."""
    absent = [name for name, rate in settings.learning_rates.items() if rate > 0 and getattr(parameters, name) is None]
    if absent:
        raise ConfigError(f"learning_rates.{absent[0]}: the State has no {absent[0]} to refine")
    return [(c.active, make_constraint(c)) for c in in_order(settings.constraints)]
