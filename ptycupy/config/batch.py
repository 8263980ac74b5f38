"""Lists of reconstructions: one configuration for all, and what each of them changes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from ptycupy.config import overrides as overriding
from ptycupy.config import problems
from ptycupy.config.base import Section, described
from ptycupy.config.load import PATHS, Loaded, document, validated
from ptycupy.config.nodes import Node
from ptycupy.config.schema import Config
from ptycupy.config.suggest import first_lines, shown
from ptycupy.errors import ConfigError, DataError

Start = Literal["object", "probe", "positions", "tilts"]
Share = Literal["probe", "object"]
Intensities = Literal["measured", "equal"]
Setting = tuple[str, Node]  # a dotted key and its value


class Item(Section):
    """One reconstruction of a list."""

    name: str | None = described(None, "Its run folder within the batch's; numbered by default.", example="t003")
    set: dict[str, Any] = described(
        {},
        "Values by dotted key, as `--set` takes them; paths are relative to the list.",
        example={"data.path": "3.h5"},
    )

    offset_px: tuple[float, float] = described(
        (0.0, 0.0), "With a shared object: how far (y, x) this scan lies from where its positions say.", unit="px"
    )


class BatchList(Section):
    """Several reconstructions that differ in a few keys."""

    version: Literal[1] = described(1, "Version of this format.")
    base: str | dict[str, Any] = Field(
        description="The configuration of all: a file, relative to the list, or its sections.", examples=["scan.yaml"]
    )
    set: dict[str, Any] = described(
        {}, "What every reconstruction changes of it, by dotted key.", example={"reconstruction.iterations": 50}
    )
    entries: tuple[Item, ...] = described((), "The reconstructions, in this order.")
    files: str | None = described(
        None, "Data files instead of entries, by a pattern relative to the list; each gets a reconstruction.",
        example="series/*.h5",
    )  # fmt: skip
    start_from_previous: tuple[Start, ...] = described(
        (), "What a reconstruction takes from the newest finished one before it, as the frames of a time series may.",
        example=["object", "probe"],
    )  # fmt: skip

    share: tuple[Share, ...] = described(
        (), "What all scans have in common: they are then reconstructed together.", example=["probe"]
    )
    share_intensities: Intensities = described(
        "measured", "With a shared probe: counts of all scans as they are, or scaled to equal mean intensities."
    )


@dataclass(frozen=True)
class Entry:
    """One reconstruction, ready to run but for the folder of its batch."""

    name: str
    loaded: Loaded
    offset_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Batch:
    """A list with every configuration put together and checked."""

    entries: tuple[Entry, ...]
    start_from_previous: tuple[Start, ...] = ()
    share: tuple[Share, ...] = ()
    share_intensities: Intensities = "measured"


def load_batch(
    path: str | os.PathLike[str],
    overrides: Iterable[str] = (),
    *,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
) -> Batch:
    """The reconstructions of a list; `overrides` (`key.path=value`) are for all of them and come last.

    Keys are those of `--set`: a value replaces all that was under its key. Raises ConfigError with the problems of all
    entries, DataError where no file fits the pattern.
    """
    name = os.fspath(path)
    root, folder = document(name), os.path.dirname(os.path.abspath(name))
    section = _section(root, name)
    items = _items(section, root, name, folder)
    base, base_name = root.value["base"], name
    if isinstance(section.base, str):
        base_name = os.path.normpath(os.path.join(folder, os.path.expanduser(section.base)))
        base = document(base_name)
    base_folder = os.path.dirname(os.path.abspath(base_name))
    for_all = _settings(root, folder)
    last = [overriding.parsed(text) for text in overrides]
    entries: list[Entry] = []
    refused: dict[str, list[str]] = {}
    offsets = [entry.offset_px for entry in section.entries] or [(0.0, 0.0)] * len(items)
    for (label, own), offset in zip(items, offsets, strict=True):
        change = _change([*for_all, *own, *last])
        try:
            loaded = validated(base, change, base_name, base_folder, ptyrad, allow_unsupported)
        except ConfigError as error:
            refused.setdefault(str(error), []).append(label)
        else:
            entries.append(Entry(label, loaded, offset))
    if refused:
        raise ConfigError(first_lines([f"{text}\n  (in {_listed(labels)})" for text, labels in refused.items()]))
    outputs = {(entry.loaded.config.output.folder, entry.loaded.config.output.name) for entry in entries}
    if len(outputs) > 1:
        raise ConfigError(f"{name}: output.folder and output.name are those of the whole batch; entries have a `name`")
    if section.share:
        _require_joint(entries, section, name)
    return Batch(tuple(entries), section.start_from_previous, section.share, section.share_intensities)


def _require_joint(entries: list[Entry], section: BatchList, name: str) -> None:
    """ConfigError for what makes no sense, or is not there, for scans that are reconstructed together."""
    if section.start_from_previous:
        raise ConfigError(f"{name}: start_from_previous: scans that share something run together, none before another")
    for entry in entries:
        config = entry.loaded.config
        if _loop(config) != _loop(entries[0].loaded.config):
            keys = "reconstruction.iterations, backend and model.dtype"
            raise ConfigError(f"{name}: {entry.name} and {entries[0].name} share something, and need the same {keys}")
        if config.stages:
            raise ConfigError(f"{name}: stages: not with share; run the stages as lists of their own")
        if config.data.follow is not None:
            raise ConfigError(f"{name}: data.follow: not with share, whose scans must be whole")


def _loop(config: Config) -> tuple[object, ...]:
    return config.reconstruction.iterations, config.backend, config.model.dtype


def _section(root: Node, name: str) -> BatchList:
    try:
        section = BatchList.model_validate(root.plain())
    except ValidationError as error:
        words = problems.in_words(error.errors(include_url=False, include_input=False), root, BatchList)
        raise ConfigError(problems.lines(words, root, name)) from None
    if bool(section.entries) == (section.files is not None):
        kept = "keep one of the two" if section.entries else "`files: series/*.h5` or `entries:` with `set:` each"
        raise ConfigError(f"{name}: a list has either entries or files: {kept}")
    return section


def _items(section: BatchList, root: Node, name: str, folder: str) -> list[tuple[str, list[Setting]]]:
    """(name, settings) of every reconstruction, names made where none is given."""
    if section.files is not None:
        found = sorted(glob.glob(os.path.join(folder, os.path.expanduser(section.files)), recursive=True), key=_natural)
        if not found:
            raise DataError(f"{name}: files: nothing in {folder} is called {shown(section.files)}")
        where = root.value["files"].where
        names = _distinct([Path(path).stem for path in found])
        pairs = zip(names, found, strict=True)
        return [(label, [("data.path", Node(os.path.abspath(path), where))]) for label, path in pairs]
    digits = max(2, len(str(len(section.entries))))
    listed = list(zip(section.entries, root.value["entries"].value, strict=True))
    names = [entry.name or f"{number:0{digits}d}" for number, entry in enumerate(section.entries, 1)]
    for label, (_, node) in zip(names, listed, strict=True):
        wrong = label in {"", ".", ".."} or Path(label).name != label or "\\" in label
        if wrong or names.count(label) > 1:
            what = "must be one folder name, without a path" if wrong else "is the name of several entries"
            raise ConfigError(f"{node.where or name}: entries: name: {shown(label)} {what}")
    return [(label, _settings(node, folder)) for label, (_, node) in zip(names, listed, strict=True)]


def _settings(node: Node, folder: str) -> list[Setting]:
    """What `set` of the list or of an entry says, file names made absolute from `folder`."""
    given = node.value.get("set")
    if given is None or given.value is None:
        return []
    return [(key, _rooted(key, value, folder)) for key, value in given.value.items()]


def _rooted(key: str, value: Node, folder: str) -> Node:
    parts = tuple(part.strip() for part in key.split("."))
    for path in PATHS:
        if path[: len(parts)] == parts:
            value = _absolute(value, path[len(parts) :], folder)
    return value


def _absolute(node: Node, below: tuple[str, ...], folder: str) -> Node:
    if not below:
        text = node.value
        return replace(node, value=os.path.join(folder, os.path.expanduser(text))) if isinstance(text, str) else node
    if not (isinstance(node.value, dict) and below[0] in node.value):
        return node
    return replace(node, value={**node.value, below[0]: _absolute(node.value[below[0]], below[1:], folder)})


def _change(settings: list[Setting]) -> Callable[[Node], Node]:
    def change(root: Node) -> Node:
        for key, value in settings:
            root = overriding.put(root, key, value)
        return root

    return change


def _natural(path: str) -> list[str | tuple[int, str]]:
    """So that frame 10 comes after frame 9."""
    return [(int(part), part) if part.isdecimal() else part for part in re.split(r"(\d+)", path)]


def _distinct(names: list[str]) -> list[str]:
    """The names, numbered where several are equal."""
    made: list[str] = []
    for name in names:
        label, number = name, 2
        while label in made:
            label, number = f"{name}-{number}", number + 1
        made.append(label)
    return made


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
