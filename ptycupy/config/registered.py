"""Names that a package may add to through an entry point."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from ptycupy.config.suggest import did_you_mean, shown


def registered(name: str, known: Sequence[str], group: str, elsewhere: dict[str, str] | None = None) -> str:
    """The name, if it is known or registered under the entry-point group; ValueError with the nearest one if not.

    `elsewhere` maps names that another program uses to ours.
    """
    if name in known:
        return name
    own = [entry.name for entry in entry_points(group=group)]
    if name in own:
        return name
    choices = [*known, *own]
    ours = (elsewhere or {}).get(name)
    hint = f"; did you mean {ours}?" if ours else did_you_mean(name, choices)
    raise ValueError(f"unknown name '{shown(name)}'; known are {', '.join(choices)}{hint}")
