"""Strict YAML: the core schema of YAML 1.2, no tags, no duplicate keys, bounded depth and size."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from ptycupy.config.nodes import MAX_DEPTH, MAX_VALUES, Node
from ptycupy.config.suggest import first_lines, shown
from ptycupy.errors import ConfigError

# libyaml scans a megabyte in a tenth of a second; the scanner in Python gives the same events, slowly.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

NULL = {"", "~", "null", "Null", "NULL"}
BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# No leading zeros: YAML 1.1 reads 0777 as octal and 1.2 as decimal, so it stays text and meets a type error.
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,39})\Z")
OTHER_BASE = re.compile(r"0(o[0-7]{1,40}|x[0-9a-fA-F]{1,40})\Z")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
LEADING_ZERO = re.compile(r"[-+]?0[0-9]+\Z")


def resolve(text: str) -> Any:
    """What a plain scalar means in YAML 1.2's core schema; `yes`, `off`, `0777` and `12:30:45` are text."""
    if text in NULL:
        return None
    if text in BOOL:
        return BOOL[text]
    if INTEGER.match(text):
        return int(text)
    if OTHER_BASE.match(text):
        return int(text, 0)
    if FLOAT.match(text) and not LEADING_ZERO.match(text):
        return float(text)
    special = SPECIAL.match(text)
    if special:
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text


@dataclass
class _Open:
    """A collection whose end has not been seen yet."""

    where: str
    children: dict[str, Node] | list[Node]
    anchor: str | None
    key: str | None = None
    key_where: str = ""
    lines: dict[str, str] = field(default_factory=dict)  # where each key stands
    values: int = 1
    height: int = 1


class _Composer:
    """Builds nodes from parser events without recursion, refusing as soon as a limit is passed."""

    def __init__(self, name: str, numbered: bool) -> None:
        self.name = name
        self.numbered = numbered
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int, int]] = {}  # node, values in it, height
        self.root: Node | None = None
        self.documents = 0
        self.duplicates: list[str] = []

    def where(self, event: Any) -> str:
        return f"{self.name}:{event.start_mark.line + 1}" if self.numbered else self.name

    def take(self, event: Any) -> None:
        """Take in one event."""
        if getattr(event, "tag", None) is not None:
            raise ConfigError(
                f"{self.where(event)}: tag {shown(event.tag)!r} refused: "
                "a configuration holds plain numbers, text, lists and mappings only; nothing was executed"
            )
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise ConfigError(f"{self.where(event)}: a second document starts here (---); write one per file")
        elif isinstance(event, yaml.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self.alias(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self.start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self.open.pop()
            self.add(Node(done.children, done.where), done.anchor, done.values, done.height)

    def start(self, event: Any) -> None:
        where = self.expect_value(event, "a mapping or list")
        if len(self.open) >= MAX_DEPTH:
            raise ConfigError(f"{where}: nested deeper than {MAX_DEPTH} levels")
        children: dict[str, Node] | list[Node] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.open.append(_Open(where, children, event.anchor))

    def scalar(self, event: Any) -> None:
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.children, dict) and top.key is None:
            where = self.where(event)
            if event.value in top.children:
                self.duplicates.append(
                    f"{where}: duplicate key '{shown(event.value)}', first given at {top.lines[event.value]}; keep one"
                )
            top.key, top.key_where = event.value, where
            top.lines[event.value] = where
            return
        where = self.expect_value(event, "text")
        value = resolve(event.value) if event.implicit[0] else event.value
        self.add(Node(value, where, event.value if event.implicit[0] else ""), event.anchor, 1, 0)

    def alias(self, event: Any) -> None:
        where = self.expect_value(event, "an alias")
        if event.anchor not in self.anchors:
            being_made = any(one.anchor == event.anchor for one in self.open)
            problem = "contains itself" if being_made else "is not defined above"
            raise ConfigError(f"{where}: alias *{shown(event.anchor)} {problem}")
        node, values, height = self.anchors[event.anchor]
        if len(self.open) + height > MAX_DEPTH:
            raise ConfigError(f"{where}: aliases nest deeper than {MAX_DEPTH} levels")
        self.add(node.moved(where), None, values, height)

    def expect_value(self, event: Any, what: str) -> str:
        """The place to name for a value: that of its key, where it has one."""
        top = self.open[-1] if self.open else None
        if top is None or isinstance(top.children, list):
            return self.where(event)
        if top.key is None:
            raise ConfigError(f"{self.where(event)}: a key must be plain text, not {what}")
        return top.key_where

    def add(self, node: Node, anchor: str | None, values: int, height: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = node, values, height
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        top.values += values
        top.height = max(top.height, height + 1)
        if top.values > MAX_VALUES:
            raise ConfigError(f"{node.where}: more than {MAX_VALUES} values once aliases are expanded")
        if isinstance(top.children, list):
            top.children.append(node)
        elif top.key is not None:
            top.children[top.key] = node
            top.key = None


def compose(text: str, name: str, numbered: bool = True) -> Node | None:
    """Nodes of YAML text, None for an empty one; ConfigError says what is wrong at `name:line`.

    With numbered=False places are `name` alone.
    """
    composer = _Composer(name, numbered)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            composer.take(event)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigError(_syntax(error, text, name, numbered)) from None
    if composer.duplicates:
        raise ConfigError(first_lines(composer.duplicates))
    return composer.root


def _syntax(error: Exception, text: str, name: str, numbered: bool) -> str:
    """A syntax error of the YAML parser in one line, with what is usually behind it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        reason = f"{getattr(error, 'reason', None) or error}"
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        return f"{name}:{line}: not YAML: {shown(reason)}" if numbered else f"{name}: not YAML: {shown(reason)}"
    where = f"{name}:{mark.line + 1}" if numbered else name
    lines = text.split("\n")
    line_text = lines[mark.line] if mark.line < len(lines) else ""
    indent = line_text[: len(line_text) - len(line_text.lstrip())]
    if "\t" in indent or line_text[mark.column : mark.column + 1] == "\t":
        return f"{where}: a tab character; YAML indents with spaces only"
    problem = getattr(error, "problem", None) or "not YAML"
    if "maximum nesting depth" in problem:  # newer scanners stop before the first of these events reaches us
        return f"{where}: nested deeper than {MAX_DEPTH} levels"
    context = getattr(error, "context", None)
    return f"{where}: not YAML: {problem}{f' ({context})' if context else ''}"
