"""Stages: partial configurations, each merged onto the whole one and checked as it stands then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ptycupy.config.nodes import Node
from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError

SECTIONS = ("data", "illumination", "object", "model", "losses", "optimizer", "constraints", "reconstruction")
ONLY = {"data": ("crop_detector",), "illumination": ("modes", "mode_power")}  # what a stage may change of these


def stage_configs(config: Config) -> tuple[Config, ...]:
    """One Config for every stage, or the configuration itself where it has none."""
    if not config.stages:
        return (config,)
    base = {**config.model_dump(), "stages": ()}
    return tuple(Config.model_validate(_merged(base, stage)) for stage in config.stages)


def merged_nodes(root: Node) -> list[Node]:
    """The whole configuration of every stage, with the places where it says so; ConfigError for what none may change"""
    stages = root.value.get("stages")
    if stages is None or not isinstance(stages.value, list):
        return []
    base = replace(root, value={key: node for key, node in root.value.items() if key != "stages"})
    found = []
    for number, stage in enumerate(stages.value):
        if not isinstance(stage.value, dict):
            raise ConfigError(
                f"{stage.where or 'stages'}: stages.{number}: expected sections such as `reconstruction:`"
            )
        for section, node in stage.value.items():
            _require_changeable(number, section, node)
        _require_thickness(number, base, stage)
        found.append(_merged_node(base, stage))
    return found


def _require_changeable(number: int, section: str, node: Node) -> None:
    allowed = ONLY.get(section)
    wrong = [section] if section not in SECTIONS else []
    if allowed is not None and isinstance(node.value, dict):
        wrong += [f"{section}.{key}" for key in node.value if key not in allowed]
    if wrong:
        able = [
            *(name for name in SECTIONS if name not in ONLY),
            *(f"{a}.{b}" for a, keys in ONLY.items() for b in keys),
        ]
        raise ConfigError(
            f"{node.where or 'stages'}: stages.{number}.{wrong[0]}: a stage cannot change this; it may change "
            f"{', '.join(able)}"
        )


def _require_thickness(number: int, base: Node, stage: Node) -> None:
    given = stage.child("object")
    slices = None if given is None else given.child("slices")
    before = base.child("object")
    thickness = ("slice_thickness_angstrom", "total_thickness_angstrom")
    if given is None or slices is None or any(given.child(key) is not None for key in thickness):
        return
    if before is not None and before.child("total_thickness_angstrom") is not None:
        return
    usual = None if before is None else before.child("slices")
    if slices.value != (1 if usual is None else usual.value):
        raise ConfigError(
            f"{slices.where or 'stages'}: stages.{number}.object.slice_thickness_angstrom: required with another "
            "number of slices, so that the specimen stays as thick as it is"
        )


def _merged(base: Any, change: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return {**base, **{key: _merged(base[key], value) if key in base else value for key, value in change.items()}}


def _merged_node(base: Node, change: Node) -> Node:
    if not (isinstance(base.value, dict) and isinstance(change.value, dict)):
        return change
    both = {
        key: _merged_node(base.value[key], node) if key in base.value else node for key, node in change.value.items()
    }
    return replace(base, value={**base.value, **both})
