"""Keys that may change while a run is under way: learning rates, and how and when constraints act."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from ptycupy.config import yaml_text
from ptycupy.config.constraints import PARAMETERS, Constraint
from ptycupy.config.load import validated
from ptycupy.config.nodes import Node, from_python
from ptycupy.config.overrides import put
from ptycupy.config.schema import Config
from ptycupy.config.suggest import did_you_mean, shown
from ptycupy.errors import ConfigError

RATE = re.compile(r"optimizer\.(\w+)\.learning_rate")
OF_CONSTRAINT = re.compile(r"constraints\.(\w+)\.(\w+)")


def amended(config: Config, key: str, text: str) -> Config:
    """The configuration with `key` set to a value in YAML, checked as a file is.

    Raises ConfigError, in the words of the loader, for a value that it would refuse, and for any other key.
    """
    _require_changeable(config, key)
    value = yaml_text.compose(text, key, numbered=False) or Node(None)
    root = put(from_python(config.model_dump()), key, from_python(value.plain()))
    return validated(root, lambda node: node, "", os.getcwd(), False, False).config


def value_at(config: Config, key: str) -> str:
    """The value of such a key as JSON; "null" where there is none."""
    value: Any = None
    rate, part = RATE.fullmatch(key), OF_CONSTRAINT.fullmatch(key)
    if rate is not None and rate[1] in config.optimizer.rates:
        value = config.optimizer.rates[rate[1]].learning_rate
    elif part is not None and (found := constraint_at(config, part[1])) is not None:
        value = parameters_of(found).get(part[2])
    return json.dumps(value)


def constraint_at(config: Config, name: str) -> Constraint | None:
    """The constraint with this name, or number in the list."""
    if name.isdecimal():
        return config.constraints[int(name)] if int(name) < len(config.constraints) else None
    return next((one for one in config.constraints if one.name == name), None)


def parameters_of(constraint: Constraint) -> dict[str, Any]:
    """When a constraint runs, and its own parameters with their defaults, by name."""
    own = PARAMETERS[constraint.name]().model_dump() if constraint.name in PARAMETERS else {}
    when = {"start": constraint.start, "step": constraint.step, "end": constraint.end}
    return {**when, **own, **(constraint.model_extra or {})}


def _require_changeable(config: Config, key: str) -> None:
    rate, part = RATE.fullmatch(key), OF_CONSTRAINT.fullmatch(key)
    rates = config.optimizer.rates
    if rate is None and (part is None or part[2] == "name"):
        raise ConfigError(
            f"{shown(key)}: cannot be changed in a run; optimizer.PARAMETER.learning_rate and constraints.NAME.KEY can"
        )
    if rate is not None and rate[1] not in rates:
        raise ConfigError(f"{shown(key)}: unknown parameter{did_you_mean(rate[1], list(rates))}")
    if part is not None and constraint_at(config, part[1]) is None:
        names = [one.name for one in config.constraints]
        raise ConfigError(f"{shown(key)}: not among the run's constraints, {', '.join(names) or 'which has none'}")
