"""A parameter file that is Python: running it does whatever it says, so only where the user asks for it by name."""

from __future__ import annotations

import runpy
from typing import Any

from ptycupy.config.nodes import Node, from_python
from ptycupy.config.ptyrad.parameters import SECTIONS
from ptycupy.errors import ConfigError


def run(name: str, text: str) -> Node:
    """The sections that the file defines. Raises ConfigError where it does not compile, fails, or defines none."""
    try:
        compile(text, name, "exec")
        found = runpy.run_path(name)
    except SyntaxError as error:
        raise ConfigError(f"{name}:{error.lineno}: not Python: {error.msg}") from error
    except Exception as error:
        raise ConfigError(f"{name}: running it ended with {type(error).__name__}: {error}") from error
    sections: dict[str, Any] = {key: found[key] for key in SECTIONS if key in found}
    if not sections:
        raise ConfigError(f"{name}: defines none of {', '.join(SECTIONS)}")
    return from_python(sections, name)
