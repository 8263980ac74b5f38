"""Strict JSON with the line of every value: no duplicate keys, bounded depth."""

from __future__ import annotations

import json
import re
from typing import Any

from ptycupy.config.nodes import MAX_DEPTH, Node
from ptycupy.config.suggest import first_lines, shown
from ptycupy.errors import ConfigError

SPACE = re.compile(r"[ \t\r\n]*")
SCALAR = json.JSONDecoder()


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.position = 0
        self.line = 1
        self.counted = 0  # characters whose lines are in `line`
        self.duplicates: list[str] = []

    def where(self) -> str:
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = self.position
        return f"{self.name}:{self.line}"

    def skip(self) -> str:
        """Go past white space; the next character, "" at the end."""
        match = SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position
        return self.text[self.position : self.position + 1]

    def refuse(self, problem: str) -> ConfigError:
        return ConfigError(f"{self.where()}: not JSON: {problem}")

    def scalar(self) -> Any:
        try:
            value, self.position = SCALAR.raw_decode(self.text, self.position)
        except ValueError as error:
            raise self.refuse(getattr(error, "msg", None) or "a number with too many digits") from None
        return value

    def value(self, where: str, depth: int) -> Node:
        start = self.skip()
        where = where or self.where()
        if start not in ("{", "["):
            begin = self.position
            value = self.scalar()
            return Node(value, where, self.text[begin : self.position] if not isinstance(value, str) else "")
        if depth >= MAX_DEPTH:
            raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels")
        self.position += 1
        return Node(self.object(depth) if start == "{" else self.array(depth), where)

    def object(self, depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        while self.following("}", first=not items):
            if self.skip() != '"':
                raise self.refuse("expected a key in double quotes")
            where = self.where()
            key = self.scalar()
            if key in items:
                self.duplicates.append(f"{where}: duplicate key '{shown(key)}', first given at {items[key].where}")
            if self.skip() != ":":
                raise self.refuse("expected ':' after a key")
            self.position += 1
            items[key] = self.value(where, depth + 1)
        return items

    def array(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while self.following("]", first=not items):
            items.append(self.value("", depth + 1))
        return items

    def following(self, end: str, first: bool) -> bool:
        """Go past a comma to the next item (True), or past the end of the collection (False)."""
        character = self.skip()
        if character == end:
            self.position += 1
            return False
        if first:
            return True
        if character != ",":
            raise self.refuse(f"expected ',' or '{end}'")
        self.position += 1
        if self.skip() == end:
            raise self.refuse("a comma before the end of a list or mapping")
        return True


def compose(text: str, name: str) -> Node | None:
    """Nodes of JSON text, None for an empty one; ConfigError says what is wrong at `name:line`."""
    parser = _Parser(text, name)
    if not parser.skip():
        return None
    root = parser.value("", 0)
    if parser.skip():
        raise parser.refuse("something follows the end")
    if parser.duplicates:
        raise ConfigError(first_lines(parser.duplicates))
    return root
