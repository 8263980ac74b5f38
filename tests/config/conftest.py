"""A configuration that is right, and a way to load variations of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ptycupy.config import load_config
from ptycupy.config.schema import Config
from ptycupy.errors import ConfigError

RIGHT = "data: {path: x.h5}\nillumination: {voltage_kv: 80, convergence_angle_mrad: 24.9}\n"


@pytest.fixture
def right() -> str:
    """Two lines of YAML that load."""
    return RIGHT


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Config]:
    """Load text or bytes written to cfg.yaml (or another name) in tmp_path."""

    def loaded(content: str | bytes, *overrides: str, name: str = "cfg.yaml") -> Config:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_config(path, overrides)

    return loaded


@pytest.fixture
def refused(load: Callable[..., Config]) -> Callable[..., list[str]]:
    """The lines of the refusal of a configuration, without the folder's name."""

    def lines(content: str | bytes, *overrides: str, name: str = "cfg.yaml") -> list[str]:
        with pytest.raises(ConfigError) as error:
            load(content, *overrides, name=name)
        return [line[line.index(name) :] if name in line else line for line in str(error.value).splitlines()]

    return lines
