"""`--set a.b=1`: one value of a configuration replaced from the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ptycupy.config import yaml_text
from ptycupy.config.nodes import MAX_DEPTH, Node, from_python
from ptycupy.config.suggest import shown
from ptycupy.errors import ConfigError

# A bare value that stands for a section keeps its meaning when another key of that section is set.
SHORT_FORMS = {("backend",): "device", ("optimizer", "*"): "learning_rate"}


def apply(root: Node, overrides: Iterable[str]) -> Node:
    """The configuration with each `key.path=value` put in, in order; values follow the rules of YAML.

    A part of the path may be the index or the name of an item of a list: `constraints.depth_blur.std=0.5`.
    """
    for override in overrides:
        root = put(root, *parsed(override))
    return root


def parsed(override: str) -> tuple[str, Node]:
    """Key and value of `key.path=value`; ConfigError where it is none."""
    key, equals, text = override.partition("=")
    source = f"--set {shown(override)}"
    if not equals:
        raise _no_key(source)
    return key, yaml_text.compose(text, source, numbered=False) or Node(None, source)


def put(root: Node, key: str, value: Node) -> Node:
    """The configuration with a value at `key.path`; ConfigError, with the value's place, where there is none."""
    parts = [part.strip() for part in key.split(".")]
    if not all(parts):
        raise _no_key(value.where)
    if len(parts) > MAX_DEPTH:
        raise ConfigError(f"{value.where}: nested deeper than {MAX_DEPTH} levels")
    return _put(_with_default_constraints(root, parts, value.where), parts, value, ())


def _no_key(source: str) -> ConfigError:
    return ConfigError(f"{source}: expected key.path=value, e.g. reconstruction.iterations=50")


def _with_default_constraints(root: Node, parts: Sequence[str], source: str) -> Node:
    """Setting something below `constraints` changes the default list instead of replacing it."""
    if parts[0] != "constraints" or len(parts) == 1 or "constraints" in root.value:
        return root
    from ptycupy.config.constraints import DEFAULT_CONSTRAINTS

    defaults = [constraint.model_dump() for constraint in DEFAULT_CONSTRAINTS]
    return replace(root, value={**root.value, "constraints": from_python(defaults, source)})


def _put(node: Node, parts: Sequence[str], new: Node, above: tuple[str, ...]) -> Node:
    if not parts:
        return new
    part, rest = parts[0], parts[1:]
    if isinstance(node.value, list):
        return replace(node, value=_put_in_list(node, part, rest, new, above))
    children = node.value if isinstance(node.value, dict) else _written_out(node, above)
    child = children.get(part, Node(None, new.where))
    return replace(node, value={**children, part: _put(child, rest, new, (*above, part))})


def _put_in_list(node: Node, part: str, rest: Sequence[str], new: Node, above: tuple[str, ...]) -> list[Node]:
    index = node.index(part)
    if index is not None:
        return [_put(item, rest, new, (*above, part)) if n == index else item for n, item in enumerate(node.value)]
    if above != ("constraints",) or part.isdecimal():
        raise ConfigError(f"{new.where}: {'.'.join(above)} has no item {shown(part)}; it has {len(node.value)} items")
    empty = Node({"name": Node(part, new.where)}, new.where)
    item = (
        _put(empty, rest, new, (*above, part))
        if rest
        else replace(new, value={"name": Node(part, new.where), **(new.value if isinstance(new.value, dict) else {})})
    )
    return [*node.value, item]


def _written_out(node: Node, above: tuple[str, ...]) -> dict[str, Node]:
    """A bare value as the section that it stands for."""
    if node.value is None:
        return {}
    for pattern, key in SHORT_FORMS.items():
        if len(pattern) == len(above) and all(p in ("*", a) for p, a in zip(pattern, above, strict=True)):
            return {key: node}
    raise ConfigError(f"{node.where}: {'.'.join(above)} is {shown(str(node.value))}, which has no keys of its own")
