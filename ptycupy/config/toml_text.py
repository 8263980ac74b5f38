"""TOML: the standard parser, and the line of every table and key found by a second look at the text."""

from __future__ import annotations

import re
import sys
from typing import Any

from ptycupy.config.nodes import MAX_DEPTH, Node
from ptycupy.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = re.compile(r"\s*\[\[?([^\[\]\"']+)\]\]?\s*(#.*)?\Z")
ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=")


def compose(text: str, name: str) -> Node | None:
    """Nodes of TOML text, None for an empty one; ConfigError says what is wrong.

    Keys in inline tables get the line of the table; the parser itself refuses duplicate keys.
    """
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{name}: nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise ConfigError(f"{name}: not TOML: {error}") from None
    return _nodes(values, (), f"{name}", name, _lines(text)) if values else None


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """First line of each table and assignment, by path."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), start=1):
        header, assignment = TABLE.match(line), ASSIGNMENT.match(line)
        if header:
            table = tuple(part.strip() for part in header[1].split("."))
            lines.setdefault(table, number)
        elif assignment:
            path = (*table, *(part.strip() for part in assignment[1].split(".")))
            for end in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:end], number)
    return lines


def _nodes(value: Any, path: tuple[str, ...], where: str, name: str, lines: dict[tuple[str, ...], int]) -> Node:
    if len(path) > MAX_DEPTH:
        raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    where = f"{name}:{lines[path]}" if path in lines else where
    if isinstance(value, dict):
        return Node({key: _nodes(item, (*path, key), where, name, lines) for key, item in value.items()}, where)
    if isinstance(value, list):
        return Node(
            [_nodes(item, (*path, f"[{index}]"), where, name, lines) for index, item in enumerate(value)], where
        )
    return Node(value, where)
