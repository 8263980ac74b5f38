"""Names that a package may add to through an entry point."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from ptycupy.config.base import refusal
from ptycupy.config.suggest import did_you_mean


def require_registered(
    name: str, known: Sequence[str], group: str, key: str, elsewhere: dict[str, str] | None = None
) -> None:
    """Pass if `name` is known or registered under the entry-point group; else a refusal located at `key`.

    `elsewhere` maps names that another program uses to ours.
    """
    if name in known:
        return
    own = [entry.name for entry in entry_points(group=group)]
    if name in own:
        return
    choices = [*known, *own]
    ours = (elsewhere or {}).get(name)
    hint = f"; did you mean {ours}?" if ours else did_you_mean(name, choices)
    raise refusal("name", [((key,), f"unknown name {name!r}; known are {', '.join(choices)}{hint}")])
