"""What a configuration file says, value by value, with the place where it says it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ptycupy.config.suggest import shown
from ptycupy.errors import ConfigError

MAX_DEPTH = 32  # sections are four deep; more is a mistake or an attack
MAX_VALUES = 20_000  # after expansion of aliases

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Node:
    """One value: a scalar, a dict of named nodes, or a list of nodes."""

    value: Any
    where: str = ""  # "file:line" or "--set key=value"; empty for a dict from Python
    text: str = ""  # a scalar as it was written

    def plain(self) -> Any:
        """The value with its nodes taken away."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, part: str | int) -> Node | None:
        """The value under a key or index. An index into a mapping counts its keys, since a mapping may stand for a
        list of named items; a name in a list finds the item whose `name` it is.
        """
        if isinstance(self.value, dict):
            if isinstance(part, str):
                return self.value.get(part)
            return list(self.value.values())[part] if 0 <= part < len(self.value) else None
        if isinstance(self.value, list):
            index = self.index(part)
            return None if index is None else self.value[index]
        return None

    def index(self, part: str | int) -> int | None:
        """Where in a list the item with this index or name is."""
        if isinstance(part, int) or part.isdecimal():
            return int(part) if 0 <= int(part) < len(self.value) else None
        for index, item in enumerate(self.value):
            if isinstance(item.value, dict) and "name" in item.value and item.value["name"].value == part:
                return index
        return None

    def name_of(self, part: str | int) -> str:
        """A key or index as messages and `--set` write it."""
        if isinstance(part, int):
            if isinstance(self.value, dict) and 0 <= part < len(self.value):
                return str(list(self.value)[part])
            child = self.child(part)
            if child is not None and isinstance(child.value, dict) and "name" in child.value:
                name = child.value["name"].value
                if isinstance(name, str) and self.index(name) == part:
                    return shown(name)
        return shown(str(part))

    def not_finite(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """Every NaN or infinity, with its path."""
        if isinstance(self.value, (dict, list)):
            items = self.value.items() if isinstance(self.value, dict) else enumerate(self.value)
            for part, node in items:
                yield from node.not_finite((*path, part))
        elif isinstance(self.value, float) and not math.isfinite(self.value):
            yield path, self

    def moved(self, where: str) -> Node:
        """The same value said elsewhere."""
        return replace(self, where=where)


def from_python(value: Any, where: str = "", depth: int = 0) -> Node:
    """Nodes of plain Python values; ConfigError where they are nested too deeply (or contain themselves)."""
    if depth > MAX_DEPTH:
        raise ConfigError(f"{where or 'configuration'}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return Node({str(key): from_python(item, where, depth + 1) for key, item in value.items()}, where)
    if isinstance(value, (list, tuple)):
        return Node([from_python(item, where, depth + 1) for item in value], where)
    return Node(value, where, str(value) if isinstance(value, (int, float)) else "")
