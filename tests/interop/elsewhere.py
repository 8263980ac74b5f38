"""Other packages, each run by the interpreter of an environment of its own, which a variable names."""

import functools
import os
import subprocess
from pathlib import Path

import pytest

WHERE = "import importlib.util as u; print(u.find_spec('ptyrad').submodule_search_locations[0])"


def interpreter(package):
    """PTYCUPY_<PACKAGE>_PYTHON; skips the test where it is not set."""
    variable = f"PTYCUPY_{package.upper()}_PYTHON"
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} does not name a Python interpreter that has {package}")
    return python


def run(package, *arguments, timeout=None):
    """What a package's interpreter prints, with nothing of this environment in its way; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
    command = [interpreter(package), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def shipped_params():
    """The folder of the parameter files in PtyRAD's wheel."""
    return Path(run("ptyrad", "-c", WHERE).strip()) / "starter/params"
