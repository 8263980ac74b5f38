"""From a file or dict to a Config: strict, all problems at once, each with its place."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ptycupy.config import json_text, problems, toml_text, yaml_text
from ptycupy.config import overrides as overriding
from ptycupy.config.base import Section
from ptycupy.config.checks import contradictions
from ptycupy.config.nodes import Node, from_python
from ptycupy.config.notes import Note
from ptycupy.config.schema import Config
from ptycupy.config.staging import merged_nodes
from ptycupy.config.suggest import shown
from ptycupy.errors import ConfigError

AnySection = TypeVar("AnySection", bound=Section)

MAX_BYTES = 1_000_000
FORMATS = {
    ".yaml": yaml_text.compose,
    ".yml": yaml_text.compose,
    "": yaml_text.compose,
    ".json": json_text.compose,
    ".toml": toml_text.compose,
}
PATHS = (
    ("data", "path"), ("data", "mask_path"), ("illumination", "path"), ("scan", "path"), ("object", "path"),
    ("object", "tilt_path"), ("optimizer", "memory_path"), ("truth", "path"), ("simulation", "atoms", "path"),
)  # fmt: skip
BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


@dataclass(frozen=True)
class Loaded:
    """A configuration, and what a translation from PtyRAD's parameters has to say about it."""

    config: Config
    notes: tuple[Note, ...] = ()


def load_config(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Config:
    """The configuration in a YAML, JSON or TOML file, with `key.path=value` overrides put in.

    A parameter file of PtyRAD is recognised by its `init_params` and translated. Relative paths inside become absolute
    against the file's folder, output.folder against the current one. Raises ConfigError with one line per problem,
    `file:line: key: what is wrong and what would be right`.
    """
    return read_config(path, overrides).config


def read_config(
    path: str | os.PathLike[str],
    overrides: Iterable[str] = (),
    *,
    ptyrad: bool = False,
    allow_unsupported: bool = False,
) -> Loaded:
    """As `load_config`, with the notes of a translation.

    `ptyrad` takes the file for PtyRAD's in any case, and is the only way to run one that is Python; overrides apply
    after the translation. Options that have no equivalent are refused unless `allow_unsupported`.
    """
    name = os.fspath(path)
    root = _python(name) if ptyrad and Path(name).suffix.lower() == ".py" else document(name)
    folder = os.path.dirname(os.path.abspath(name))
    return validated(root, lambda node: overriding.apply(node, overrides), name, folder, ptyrad, allow_unsupported)


def load_ptyrad(path: str | os.PathLike[str]) -> tuple[Config, tuple[Note, ...]]:
    """The Config that PtyRAD's parameter file means, and what is done differently or not at all, as (key, effect).

    Nothing is refused for having no equivalent: see `Note.unsupported`. A file ending in .py is refused, not run.
    """
    name = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(name))
    loaded = validated(document(name), lambda node: node, name, folder, True, True)
    return loaded.config, loaded.notes


def document(name: str) -> Node:
    """What a file says; ConfigError where it is no mapping of sections."""
    suffix = Path(name).suffix.lower()
    content = _read(name)
    if suffix == ".py":
        raise ConfigError(f"{name}: Python is not run unasked; `ptycupy recon --ptyrad {name}` runs PtyRAD parameters")
    if suffix not in FORMATS:
        raise ConfigError(f"{name}: expected a configuration ending in .yaml, .yml, .json or .toml")
    root = FORMATS[suffix](_text(content, name), name)
    if root is None or (root.value is None and not root.text):
        raise ConfigError(f"{name}: the file is empty; `ptycupy new` writes a commented template")
    if not isinstance(root.value, dict):
        kind = f"a list of {len(root.value)}" if isinstance(root.value, list) else "a single value"
        raise ConfigError(f"{root.where}: expected sections such as `data:` at the top level, found {kind}")
    return root


def _python(name: str) -> Node:
    from ptycupy.config.ptyrad.python_file import run

    return run(name, _text(_read(name), name))


def validated(
    root: Node, change: Callable[[Node], Node], name: str, folder: str, ptyrad: bool, allow_unsupported: bool
) -> Loaded:
    """The Config of a document after `change`, which acts on the native one; paths are taken from `folder`."""
    if not ptyrad and "init_params" not in root.value:
        return Loaded(_validated(change(root), name, folder))
    from ptycupy.config.ptyrad.translate import translate

    native, notes = translate(root, name, folder)
    missing = [note for note in notes if note.unsupported]
    if missing and not allow_unsupported:
        listed = "\n".join(f"  {note}" for note in missing)
        what = name or "PtyRAD parameters"
        raise ConfigError(f"{what}: without an equivalent here (--allow-unsupported goes on without):\n{listed}")
    return Loaded(_validated(change(native), name, folder), notes)


def from_dict(values: Mapping[str, Any], overrides: Iterable[str] = ()) -> Config:
    """The configuration in a mapping of sections; relative paths are taken from the current folder."""
    return read_dict(values, overrides).config


def read_dict(
    values: Mapping[str, Any], overrides: Iterable[str] = (), *, ptyrad: bool = False, allow_unsupported: bool = False
) -> Loaded:
    """As `read_config`, from a mapping."""
    root, change = from_python(dict(values)), lambda node: overriding.apply(node, overrides)
    return validated(root, change, "", os.getcwd(), ptyrad, allow_unsupported)


def from_text(text: str, name: str, overrides: Iterable[str] = ()) -> Config:
    """The configuration in YAML that `dump` wrote, as the file `name` holds it; its paths are absolute already."""
    root = FORMATS[".yaml"](text, name)
    if root is None or not isinstance(root.value, dict):
        raise ConfigError(f"{name}: holds no configuration")
    return validated(root, lambda node: overriding.apply(node, overrides), name, "", False,
                     False).config  # fmt: skip


def check(config: Config) -> None:
    """Raise ConfigError if keys of a Config that was made in Python contradict each other or one is missing."""
    found = contradictions(config)
    if found:
        raise ConfigError(problems.lines(found, from_python({}), ""))


def _validated(root: Node, name: str, folder: str) -> Config:
    values = root.plain()
    found = [
        (path, f"expected a finite number, found {shown(node.text) or node.value}") for path, node in root.not_finite()
    ]
    broken = {str(path[0]) for path, _ in found}
    config = None
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        located = [path for path, _ in found]
        words = problems.in_words(error.errors(include_url=False, include_input=False), root)
        found += [
            (path, message) for path, message in words if not any(path[: len(above)] == above for above in located)
        ]
        broken |= {str(path[0]) for path, _ in found if path}
        sound = {key: value for key, value in values.items() if key not in broken}
        config = Config.model_validate(sound)
    found += contradictions(config, broken)
    if found:
        raise ConfigError(problems.lines(found, root, name))
    for stage in merged_nodes(root):
        _validated(stage, name, folder)
    return _with_absolute_paths(config, folder)


def _with_absolute_paths(config: Config, folder: str) -> Config:
    for path in PATHS:
        config = _absolute(config, path, folder)
    return _absolute(config, ("output", "folder"), os.getcwd())


def _absolute(section: AnySection, path: tuple[str, ...], folder: str) -> AnySection:
    """The section with the file name at `path` made absolute, if there is one."""
    value = getattr(section, path[0])
    if value is None:
        return section
    if len(path) > 1:
        new = _absolute(value, path[1:], folder)
    else:
        new = os.path.normpath(os.path.join(folder, os.path.expanduser(value)))
    return section if new == value else section.model_copy(update={path[0]: new})


def _read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{os.path.abspath(name)}: no such file{_neighbours(name)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{os.path.abspath(name)}: is a folder, not a configuration file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES:,} bytes; a configuration is a few kilobytes of text")
    return content


def _neighbours(name: str) -> str:
    try:
        there = os.listdir(os.path.dirname(os.path.abspath(name)))
    except OSError:
        return "; its folder does not exist either"
    near = difflib.get_close_matches(os.path.basename(name), there, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _text(content: bytes, name: str) -> str:
    """The file as text; ConfigError says what it is instead."""
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ConfigError(f"{name}: an HDF5 file, not a configuration; name it as data.path in one")
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            raise ConfigError(f"{name}: saved as {encoding}; save it as UTF-8")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise ConfigError(f"{name}:{line}: a binary file (or UTF-16 text), not a configuration in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{content[error.start]:02x}"
        raise ConfigError(f"{name}:{line}: {found} is not UTF-8; save the file as UTF-8 text") from None
