"""Every parameter file that PtyRAD 1.0.0 ships is translated; its interpreter is named by PTYCUPY_PTYRAD_PYTHON."""

import pytest
from interop.elsewhere import shipped_params

from ptycupy.config import converted, load_config, load_ptyrad, read_config

pytestmark = pytest.mark.interop


def test_every_shipped_file_translates(tmp_path):
    files = sorted(shipped_params().glob("*/*.yaml"))
    assert len(files) == 22
    for path in files:
        config, notes = load_ptyrad(path)
        unsupported = {note.key.rpartition(".")[2] for note in notes if note.unsupported}
        assert unsupported == set(), path
        native = tmp_path / path.name
        native.write_text(converted(read_config(path, allow_unsupported=True)))
        assert load_config(native) == config
