"""Problems of a configuration in words: where, which key, what was found, what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import NoneType
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ptycupy.config.base import Location, Section
from ptycupy.config.constraints import PARAMETERS, Constraint
from ptycupy.config.nodes import Node
from ptycupy.config.optimizers import OPTIONS
from ptycupy.config.procedure import Losses, Optimizer, Rate
from ptycupy.config.registered import LOSSES, names, plain_name
from ptycupy.config.schedules import OPTIONS as SCHEDULES
from ptycupy.config.schedules import Schedule
from ptycupy.config.schema import Config
from ptycupy.config.suggest import LONGEST, did_you_mean, first_lines, nearest, shown

MOST_LINES = 1_000_000  # more than a configuration has: problems without a line come last

EXPECTED = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list such as [1, 2]",
    "dict_type": "a mapping (`key: value` lines)",
    "model_type": "a mapping (`key: value` lines)",
}
LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
OTHER_NAMES = {
    "lr": "learning_rate",
    "niter": "iterations",
    "epochs": "iterations",
    "defocus": "aberrations: {C10: -defocus}",
    "pixel_size": "mode: pixel_size_angstrom with a value, or mode: none",
}
# Text that other YAML readers (version 1.1) take for something else.
AMBIGUOUS = re.compile(
    r"(?i)yes|no|on|off|[-+]?0[0-9]+|[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?|[-+]?[0-9][0-9_]*_[0-9_]*"
)
HINTS = (
    (r"[-+]?[0-9]+,[0-9]+", "a decimal comma; write a point"),
    (r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", "remove the quotes"),
    (r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*[A-Za-z%/].*", "write the number alone, in the unit that the key names"),
)
TAGS = ("<number>", "<list>")  # alternatives of `a number or a list of numbers`


def in_words(errors: Iterable[ErrorDetails], root: Node, top: type[Section] = Config) -> list[tuple[Location, str]]:
    """(location, message) of each pydantic error of the section `top`, one message per location."""
    found: dict[Location, str] = {}
    for error in errors:
        unknown = error["type"] == "extra_forbidden"  # a key of the file, even where it looks like a tag
        location = error["loc"] if unknown else tuple(part for part in error["loc"] if part not in TAGS)
        found.setdefault(location, _message(error, location, root, top))
    return list(found.items())


def lines(problems: Iterable[tuple[Location, str]], root: Node, name: str) -> str:
    """`file:line: key: message` of each problem, in the order of the file."""
    found: dict[str, None] = {}
    for location, message in problems:
        node, dotted = _node(root, location)
        where = node.where if node is not root else name
        found[": ".join(part for part in (where, dotted, message) if part)] = None
    return first_lines(sorted(found, key=_line_number))


def _line_number(line: str) -> int:
    number = re.match(r".*?:(\d+): ", line)
    return int(number[1]) if number else MOST_LINES


def _node(root: Node, location: Location) -> tuple[Node, str]:
    """The deepest node on the way to a location, and the location as `--set` writes it."""
    node, names, lost = root, [], False
    for part in location:
        child = None if lost else node.child(part)
        if child is not None:
            names.append(node.name_of(part))
            node = child
        else:
            names.append(shown(str(part)))
            lost = True
    return node, ".".join(names)


def _message(error: ErrorDetails, location: Location, root: Node, top: type[Section]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    node = _node(root, location)[0]
    if kind == "check":
        return str(context["problem"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return _unknown_key(location, root, top)
    field = _field(location, top)
    if kind == "missing":
        return _missing(location, field)
    unit = _unit(field)
    if kind in EXPECTED:
        number = "a number or " if kind == "model_type" and _section(location, top) is Rate else ""
        return f"expected {number}{EXPECTED[kind]}{unit}, found {_found(node)}"
    if kind in LIMITS:
        words, key = LIMITS[kind]
        return f"{_found(node)} must be {words} {context[key]}{unit}"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        near = did_you_mean(node.value, choices) if isinstance(node.value, str) else ""
        return f"expected {', '.join(choices)}; found {_found(node)}{near}"
    if kind == "string_pattern_mismatch":
        return f"found {_found(node)}; expected auto, cpu, cuda or cuda:N with the number of a GPU"
    if kind == "finite_number":
        return f"expected a finite number{unit}, found {_found(node)}"
    return f"{error['msg']}; found {_found(node)}"


def _missing(location: Location, field: FieldInfo | None) -> str:
    if isinstance(location[-1], int):
        return "an item is missing from the list"
    if field is None:
        return "required"
    example = f", e.g. `{location[-1]}: {field.examples[0]}`" if field.examples else ""
    return f"required{_unit(field)}: {field.description}{example}"


def _unknown_key(location: Location, root: Node, top: type[Section]) -> str:
    key = str(location[-1])
    known = _keys_at(location[:-1], root, top)
    if key in OTHER_NAMES and nearest(OTHER_NAMES[key].split(":")[0], known):
        return f"unknown key; did you mean {OTHER_NAMES[key]}?"
    elsewhere = [path for path in _all_keys(top) if path.rpartition(".")[2] == key]
    if elsewhere:
        return f"unknown key; did you mean {' or '.join(elsewhere[:3])}?"
    near = did_you_mean(key, known)
    if near:
        return f"unknown key{near}"
    return f"unknown key; known here: {', '.join(known) or 'none'}"


def _section(location: Location, top: type[Section]) -> type[Section] | None:
    """The class of the section at a location below the section `top`."""
    section: type[Section] | None = top
    by_name = False  # whether this part is a name that the user chose for a section
    for part in location:
        if isinstance(part, int) or by_name:
            by_name = False
            continue
        if section is None or part not in section.model_fields:
            return None
        field = section.model_fields[part]
        section, by_name = section_in(field.annotation), isinstance(field.default, dict)
    return section


def section_in(annotation: Any) -> type[Section] | None:
    """The section class inside an annotation such as `Truth | None` or `tuple[Constraint, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for inner in get_args(annotation):
        if inner is not NoneType and (found := section_in(inner)) is not None:
            return found
    return None


def _keys_at(location: Location, root: Node, top: type[Section]) -> list[str]:
    section = _section(location, top)
    if section is None:
        return _options(root) if location == ("optimizer", "options") else []
    keys = [*section.model_fields, *(names(LOSSES) if section is Losses else ())]
    if section is Constraint:
        name = _node(root, (*location, "name"))[0].value
        named = name if isinstance(name, str) else _node(root, location)[1].rpartition(".")[2]
        keys += PARAMETERS[named].model_fields if named in PARAMETERS else []
    if section is Schedule:
        name = _node(root, (*location, "name"))[0].value
        keys += SCHEDULES[name].model_fields if isinstance(name, str) and name in SCHEDULES else []
    return keys


def _options(root: Node) -> list[str]:
    """Options of the optimizer that the configuration names."""
    name = _node(root, ("optimizer", "name"))[0].value
    section = OPTIONS.get(plain_name(name, OPTIONS)) if isinstance(name, str) else OPTIONS[Optimizer().name]
    return [] if section is None else list(section.model_fields)


def _field(location: Location, top: type[Section]) -> FieldInfo | None:
    names = list(location)
    while names and isinstance(names[-1], int):
        names.pop()
    section = _section(tuple(names[:-1]), top) if names else None
    return section.model_fields.get(str(names[-1])) if section is not None else None


def _unit(field: FieldInfo | None) -> str:
    extra = field.json_schema_extra if field is not None else None
    return f" ({extra['unit']})" if isinstance(extra, dict) and "unit" in extra else ""


def _all_keys(section: type[Section], path: str = "") -> Iterable[str]:
    for key, field in section.model_fields.items():
        inner = section_in(field.annotation)
        yield f"{path}{key}"
        if inner is not None and inner is not Constraint:
            yield from _all_keys(inner, f"{path}{key}.")


def _found(node: Node) -> str:
    """What the file says, and what YAML made of it where that may surprise."""
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if not isinstance(value, str):
        return shown(node.text or str(value))
    hint = next((words for pattern, words in HINTS if re.fullmatch(pattern, value)), "")
    if len(value) <= LONGEST and AMBIGUOUS.fullmatch(value):
        hint = f"YAML 1.1 makes {str(yaml.safe_load(value)).lower()} of it, YAML 1.2 text; write what is meant"
    return f"the text '{shown(value)}'{f' ({hint})' if hint else ''}"
