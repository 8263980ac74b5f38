"""Names that a package may add to through an entry point: loss terms, optimizers, constraints.

Without pydantic, because the engine looks its parts up here too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any

from ptycupy.config.suggest import did_you_mean, shown
from ptycupy.errors import ConfigError

LOSSES = "ptycupy.losses"
OPTIMIZERS = "ptycupy.optimizers"
CONSTRAINTS = "ptycupy.constraints"


def names(group: str) -> list[str]:
    """What installed packages register under an entry-point group."""
    return [entry.name for entry in entry_points(group=group)]


def registered(name: str, known: Sequence[str], group: str, elsewhere: dict[str, str] | None = None) -> str:
    """The name, if it is known or registered under the entry-point group; ValueError with the nearest one if not.

    `elsewhere` maps names that another program uses to ours.
    """
    choices = [*known, *(() if name in known else names(group))]
    if name in choices:
        return name
    ours = (elsewhere or {}).get(name)
    hint = f"; did you mean {ours}?" if ours else did_you_mean(name, choices)
    raise ValueError(f"unknown name '{shown(name)}'; known are {', '.join(choices)}{hint}")


def plain_name(name: str, known: Iterable[str]) -> str:
    """The known name that this one spells in another case or without underscores (SparseAdam); else it as given."""
    spellings = {choice.replace("_", ""): choice for choice in known}
    return spellings.get(name.lower().replace("_", ""), name)


def make(
    what: str, name: str, parameters: Mapping[str, Any], known: Mapping[str, Callable[..., Any]], group: str
) -> Any:
    """The object that the factory `name` makes of its parameters: a known one, or one of another package.

    ConfigError, which begins with `what`, for an unknown name, a wrong parameter, or a package that does not import.
    """
    factory: Any = known.get(name)
    if factory is None:
        own = {entry.name: entry for entry in entry_points(group=group)}
        if name not in own:
            choices = [*known, *own]
            raise ConfigError(f"{what}: unknown; known are {', '.join(choices)}{did_you_mean(name, choices)}")
        try:
            factory = own[name].load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(
                f"{what}: {own[name].value}, registered as {group}, cannot be imported: {error}"
            ) from error
    expected = inspect.signature(factory).parameters
    if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in expected.values()):
        for key in parameters:
            if key not in expected:
                listed = ", ".join(expected) or "none"
                raise ConfigError(f"{what}: unknown parameter {key!r}; known are {listed}{did_you_mean(key, expected)}")
    missing = [
        key
        for key, parameter in expected.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and key not in parameters
    ]
    if missing:
        raise ConfigError(f"{what}: {', '.join(missing)} must be given")
    return factory(**parameters)
