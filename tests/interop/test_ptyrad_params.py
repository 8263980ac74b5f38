"""Every parameter file that PtyRAD 1.0.0 ships is translated; its interpreter is named by PTYCUPY_PTYRAD_PYTHON."""

import os
import subprocess
from pathlib import Path

import pytest

from ptycupy.config import converted, load_config, load_ptyrad, read_config

pytestmark = pytest.mark.interop
WHERE = "import importlib.util as u; print(u.find_spec('ptyrad').submodule_search_locations[0])"
LIMITS = {"14_hypertune": {"if_hypertune"}}  # one reconstruction is one trial


def test_every_shipped_file_translates(tmp_path):
    python = os.environ.get("PTYCUPY_PTYRAD_PYTHON")
    if not python:
        pytest.skip("PTYCUPY_PTYRAD_PYTHON does not name a Python interpreter that has ptyrad")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
    done = subprocess.run([python, "-c", WHERE], capture_output=True, text=True, env=environment, check=True)
    files = sorted(Path(done.stdout.strip()).glob("starter/params/*/*.yaml"))
    assert len(files) == 22
    for path in files:
        config, notes = load_ptyrad(path)
        unsupported = {note.key.rpartition(".")[2] for note in notes if note.unsupported}
        assert unsupported == LIMITS.get(path.stem, set()), path
        native = tmp_path / path.name
        native.write_text(converted(read_config(path, allow_unsupported=True)))
        assert load_config(native) == config
