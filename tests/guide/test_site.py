"""The site is built without a warning: no dead link, no name in the reference that does not exist, none forgotten."""

import os
import subprocess
import sys
from pathlib import Path

import ptycupy
from ptycupy.guide import topics

ROOT = Path(__file__).parents[2]


def test_the_site_is_built_strictly(tmp_path):
    made = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", ".site/mkdocs.yml", "-d", str(made)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {path.stem: path.read_text(encoding="utf-8") for path in made.glob("**/*.html")}
    assert set(topics()) | {"index", "command_line", "configuration"} <= set(pages)
    reference = "".join(path.read_text(encoding="utf-8") for path in (made / "reference").glob("*.html"))
    assert all(f'id="{ptycupy._HOMES[name]}.{name}"' in reference for name in ptycupy.__all__)
    others = ["plot.phase", "plot.ring_correlation", "integrations.torch.diffraction", "integrations.ptyrad.patch"]
    assert all(f'id="ptycupy.{name}"' in reference for name in [*others, "analysis.resolution.RingCorrelation"])
    assert "ptycupy recon" in pages["command_line"]
    assert "convergence_angle_mrad" in pages["configuration"]
