"""The configuration: a typed, frozen object from YAML, JSON, TOML or a dict.

    config = load_config("scan.yaml", ["reconstruction.iterations=50"])

Nothing here imports pydantic or yaml before one of these names is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptycupy.config.batch import Batch, load_batch
    from ptycupy.config.documents import converted, dump, json_schema, template
    from ptycupy.config.load import (
        Loaded,
        check,
        from_dict,
        from_text,
        load_config,
        load_ptyrad,
        read_config,
        read_dict,
    )
    from ptycupy.config.schema import Config
    from ptycupy.config.staging import stage_configs

_HOMES = {
    "Batch": "batch",
    "Config": "schema",
    "Loaded": "load",
    "check": "load",
    "converted": "documents",
    "dump": "documents",
    "from_dict": "load",
    "from_text": "load",
    "json_schema": "documents",
    "load_batch": "batch",
    "load_config": "load",
    "load_ptyrad": "load",
    "read_config": "load",
    "read_dict": "load",
    "stage_configs": "staging",
    "template": "documents",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "Batch",
    "Config",
    "Loaded",
    "check",
    "converted",
    "dump",
    "from_dict",
    "from_text",
    "json_schema",
    "load_batch",
    "load_config",
    "load_ptyrad",
    "read_config",
    "read_dict",
    "stage_configs",
    "template",
]
