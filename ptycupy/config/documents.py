"""What the schema says about itself and about a configuration: template, JSON schema, YAML of a Config."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml

from ptycupy.config.base import Section
from ptycupy.config.constraints import DEFAULT_CONSTRAINTS, PARAMETERS, Constraint
from ptycupy.config.load import Loaded
from ptycupy.config.problems import section_in
from ptycupy.config.schema import Config
from ptycupy.config.yaml_text import resolve

WIDTH = 110

HEADER = """\
A ptycupy configuration. Keys followed by nothing must be filled in; keys behind a # are off or found by themselves;
all others show their defaults and may be removed. `ptycupy validate` checks the file, `ptycupy schema` is for editors.
"""
CONVERTED = "Translated from parameters of PtyRAD. What is different, or has no effect here:"


class _Dumper(yaml.SafeDumper):
    """Writes text in quotes wherever our reader would take it for something else."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if resolve(value) == value and value.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(config: Config) -> str:
    """The whole configuration as YAML, defaults included; load_config reads it back to an equal Config."""
    values = config.model_dump(mode="json")
    return str(yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH))


def converted(loaded: Loaded) -> str:
    """A translated configuration as YAML: what was not taken over as comments at its head, and one for each section."""
    lines = _comment(CONVERTED, "")
    for note in loaded.notes:
        lines += _comment(f"{'NOT SUPPORTED ' if note.unsupported else ''}{note}".encode("unicode_escape").decode(), "")
    for line in dump(loaded.config).splitlines():
        field = Config.model_fields.get(line.partition(":")[0])
        lines += ["", *_comment(str(field.description), "")] if field is not None else []
        lines.append(line)
    return "\n".join(lines) + "\n"


def template() -> str:
    """A commented YAML file with every section, key, unit and default, made from the schema itself."""
    lines = [*_comment(HEADER.replace("\n", " "), ""), "version: 1"]
    shown: set[type[Section]] = set()
    for key, field in Config.model_fields.items():
        section = section_in(field.annotation)
        if key == "version":
            continue
        if section is None:
            lines += ["", *_comment(str(field.description), ""), f"{key}: {_value(list(field.default))}"]
            continue
        lines += ["", *_comment(str(field.description), "")]
        if section is Constraint:
            lines += ["constraints:", *_constraints()]
        else:
            lines += _section(key, section, field.default, "", shown)
    return "\n".join(lines) + "\n"


def _section(key: str, section: type[Section], default: Any, indent: str, shown: set[type[Section]]) -> list[str]:
    """A section as a block with a comment for each key; one line where its kind has been explained already.

    A section that is off by default has its keys behind a #.
    """
    if section in shown:
        given = {} if default is None else default.model_dump(mode="json")
        return [f"{indent}{'#' if default is None else ''}{key}: {_value(given)}"]
    shown.add(section)
    lines = [f"{indent}{key}:"]
    below = indent + "  "
    for name, field in section.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        unit = f" [{extra['unit']}]" if "unit" in extra else ""
        lines += _comment(f"{field.description}{unit}", below)
        value = field.get_default() if default is None else getattr(default, name)
        inner = section_in(field.annotation)
        example = field.examples[0] if field.examples else None
        if inner is not None and not isinstance(value, dict):
            lines += _section(name, inner, value, below, shown)
        elif extra.get("fill"):
            lines.append(f"{below}{name}:  # FILL IN, e.g. {_value(example)}")
        elif field.is_required():
            lines.append(f"{below}{name}: {_value(example)}")
        elif value is None:
            lines.append(f"{below}#{name}: {_value(example)}")
        else:
            lines.append(f"{below}{name}: {_value(_plain(value))}")
    if default is not None:
        return lines
    return [line if line.lstrip().startswith("#") else f"{indent}#{line[len(indent) :]}" for line in lines]


def _constraints() -> list[str]:
    lines = []
    active = {constraint.name: constraint for constraint in DEFAULT_CONSTRAINTS}
    for name, parameters in PARAMETERS.items():
        given = active[name].model_extra if name in active else {}
        values = {**parameters().model_dump(mode="json"), **{key: _plain(item) for key, item in (given or {}).items()}}
        lines += _comment(str(parameters.__doc__), "  ")
        lines.append(f"  {'' if name in active else '#'}{name}: {_value(values)}")
    timing = ", ".join(f"{key}: {_value(Constraint.model_fields[key].default)}" for key in ("start", "step", "end"))
    return [*_comment(f"Each also takes when it runs (end exclusive): {timing}", "  "), *lines]


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _value(value: Any) -> str:
    """A value on one line of YAML."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=10_000)
    return str(text).removesuffix("\n").removesuffix("...").strip()


def json_schema() -> dict[str, Any]:
    """The JSON schema for editors, with the short forms that the reader accepts."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    parts = schema["$defs"]
    parts["Rate"] = {"anyOf": [{"type": "number", "minimum": 0}, parts["Rate"]]}
    parts["Backend"] = {"anyOf": [parts["Backend"]["properties"]["device"], parts["Backend"]]}
    parts["Losses"]["additionalProperties"] = {"type": ["object", "null"]}
    calibration = parts["Calibration"]
    parts["Calibration"] = {"anyOf": [{"properties": {"pixel_size": {"type": "null"}}, "required": ["pixel_size"],
                                       "additionalProperties": False, "type": "object"}, calibration]}  # fmt: skip
    timing = {key: item for key, item in parts["Constraint"]["properties"].items() if key != "name"}
    named = {name: parameters.model_json_schema() for name, parameters in PARAMETERS.items()}
    parts["Constraint"]["properties"]["name"]["examples"] = list(named)
    parts["Constraint"]["allOf"] = [
        {"if": {"properties": {"name": {"const": name}}}, "then": {"properties": one.get("properties", {})}}
        for name, one in named.items()
    ]
    mapping = {
        name: {
            "description": one["description"],
            "type": ["object", "null"],
            "properties": {**one.get("properties", {}), **timing},
            "additionalProperties": False,
        }
        for name, one in named.items()
    }
    constraints = schema["properties"]["constraints"]
    listed = {key: constraints.pop(key) for key in ("items", "type")}
    constraints["anyOf"] = [listed, {"type": "object", "properties": mapping}]
    return schema
