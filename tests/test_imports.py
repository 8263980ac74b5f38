"""What importing and running ptycupy imports, and what it can do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent}:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Absent())
sys.path.insert(0, {tests!r})
"""


def in_a_process(code, absent=()):
    """Standard output of Python code where some packages cannot be imported."""
    start = BLOCKED.format(absent=set(absent) or "()", tests=str(Path(__file__).parent))
    # Numba tells of every installed extension that does not load, which here is what the test is about.
    strict = ["-W", "error", "-W", "ignore:Numba extension module"]
    done = subprocess.run([sys.executable, *strict, "-c", start + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


ENGINE = """
from scenes import random_scene
import ptycupy
problem, state = random_scene()
ptycupy.forward(problem, state, [0], backend="cpu")
losses = {"gaussian": {}, "poisson": {}, "pacbed": {}, "sparsity": {}, "similarity": {}}
names = ("orthogonal_probe", "fixed_probe_intensity", "lateral_blur", "depth_blur", "amplitude_threshold",
         "positive_phase", "position_recentring")
settings = ptycupy.Settings(losses, learning_rates={"probe": 1e-3, "shifts": 1e-3},
                            constraints=[ptycupy.Constraint(name) for name in names])
engine = ptycupy.Engine(problem, state, settings, backend="cpu")
engine.run(1)
print(len(engine.history.total))
"""
OPTIONAL = ("pydantic", "optuna", "hdf5plugin", "h5py", "matplotlib", "yaml", "rich", "tifffile", "cupy")


@pytest.mark.parametrize("transforms", ["rocket_fft", "scipy"])
def test_the_engine_needs_numpy_and_one_backend_only(transforms):
    """Either of the two libraries that transform may be absent too."""
    assert in_a_process(ENGINE, [*OPTIONAL, transforms]) == "1\n"


def test_importing_ptycupy_imports_nothing_else():
    """Not even NumPy: names are imported when they are used."""
    code = "before = set(sys.modules)\nimport ptycupy\nprint(*{n.partition('.')[0] for n in set(sys.modules) - before})"
    assert set(in_a_process(code).split()) - set(sys.stdlib_module_names) == {"ptycupy"}


def test_importing_ptycupy_is_quick():
    code = "import time; t = time.process_time(); import ptycupy; print(time.process_time() - t)"
    assert float(in_a_process(code)) < 0.1
