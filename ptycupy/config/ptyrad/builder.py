"""The native configuration as a translation puts it together, with the place of every value in PtyRAD's file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ptycupy.config.nodes import Node, from_python
from ptycupy.config.notes import Note
from ptycupy.config.ptyrad.parameters import Parameters


class Builder:
    """Collects native values and notes."""

    def __init__(self, parameters: Parameters, root: Node, folder: str) -> None:
        self.parameters = parameters
        self.notes: list[Note] = []
        self._source = root
        self._folder = folder
        self._native = Node({}, root.where)

    @property
    def native(self) -> Node:
        """The configuration so far."""
        return self._native

    def put(self, path: str, value: Any, key: str) -> None:
        """A native value, said where PtyRAD's file says `key`."""
        self._native = _put(self._native, path.split("."), from_python(value, self._where(key)))

    def append(self, path: str, value: Any, key: str) -> None:
        """One more item of a list."""
        items = self._native.child(path)
        assert items is not None
        self._native = _put(
            self._native, [path], replace(items, value=[*items.value, from_python(value, self._where(key))])
        )

    def put_path(self, path: str, value: str, key: str) -> str:
        """A file, looked for in the current folder, as PtyRAD does, and then in the parameter file's; its full path."""
        name = os.path.expanduser(value)
        tried = [os.path.normpath(os.path.join(folder, name)) for folder in (os.getcwd(), self._folder)]
        there = next((place for place in tried if os.path.exists(place)), None)
        if there is None:
            self.differs(key, f"no such file: tried {' and '.join(dict.fromkeys(tried))}")
        found = there or tried[0]
        self.put(path, found, key)
        return found

    def differs(self, key: str, effect: str) -> None:
        """Something is done differently, or has no effect."""
        self.notes.append(Note(key, effect))

    def unsupported(self, key: str, effect: str) -> None:
        """Something has no equivalent."""
        self.notes.append(Note(key, effect, unsupported=True))

    def changed(self, section: str, *keys: str) -> Iterator[str]:
        """Those keys of a section that differ from PtyRAD's defaults, dotted."""
        given = getattr(self.parameters, section)
        for key in keys:
            if getattr(given, key) != type(given).model_fields[key].default:
                yield f"{section}.{key}"

    def _where(self, key: str) -> str:
        node = self._source
        for part in key.split("."):
            child = node.child(part)
            if child is None:
                break
            node = child
        return node.where


def _put(node: Node, parts: list[str], new: Node) -> Node:
    first, *rest = parts
    child = node.value.get(first, Node({}, new.where))
    return replace(node, value={**node.value, first: _put(child, rest, new) if rest else new})
