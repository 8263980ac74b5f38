"""Every Backend method on every backend against `reference.py`: odd, prime, unit and rectangular sizes, one and
several modes, shared and separate tilts, in float32 and float64."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
from cuda_on_cpu.cases import CASES, SOURCE, Case
from cuda_on_cpu.scene import Outputs, Scene
from reference import ReferenceBackend

from ptycupy.backends.interface import Backend
from ptycupy.backends.interface.memory import Memory

SCENES = {
    "rectangular": Scene(),
    "units": Scene(n=1, p=1, o=1, z=1, window=(1, 1), canvas=(1, 1), gaps=1),
    "square": Scene(n=4, p=3, o=1, z=2, window=(16, 16), canvas=(40, 33), tilts=False, gaps=1),
    "row": Scene(n=2, p=1, o=3, z=2, window=(1, 17), canvas=(4, 19), tilts=False),
    "column": Scene(n=2, p=2, o=2, z=1, window=(13, 1), canvas=(13, 2)),
    "large": Scene(n=3, p=1, o=2, z=1, window=(64, 48), canvas=(70, 61), tilts=False, gaps=1),
}
for seed in (1, 2):
    rng = np.random.default_rng(seed)
    n, p, o, z, gaps = (int(count) for count in rng.integers(1, 5, 5))
    height, width, extra_y, extra_x = (int(length) for length in rng.integers(2, 24, 4))
    canvas = height + extra_y, width + extra_x
    SCENES[f"drawn {seed}"] = Scene(n, p, o, z, (height, width), canvas, seed == 1, gaps)

# Relative to the largest value of an output. float32: sums of some thousand terms and FFTs; transfer angles of up
# to 7 rad/angstrom times 12 angstrom lose two digits.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def assert_agree(outputs: Outputs, expected: Outputs, tolerance: float, scene: str) -> None:
    assert outputs.keys() == expected.keys()
    for name, reference in expected.items():
        assert outputs[name].shape == reference.shape, f"{scene}: {name}"
        atol = tolerance * np.abs(reference).max(initial=0)
        np.testing.assert_allclose(outputs[name], reference, rtol=0, atol=atol, err_msg=f"{scene}: {name}")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_agrees_with_the_reference(any_backend: Backend, case: Case) -> None:
    for name, scene in SCENES.items():
        outputs, expected = case(any_backend, scene), case(ReferenceBackend(), scene)
        assert_agree(outputs, expected, TOLERANCE[str(any_backend.real)], name)


def test_every_method_has_a_case() -> None:
    methods = {name for name, _ in inspect.getmembers(Backend, inspect.isfunction) if not name.startswith("_")}
    assert not {name for name in methods if f"b.{name}(" not in SOURCE}


def test_every_op_has_a_row_in_the_benchmarks() -> None:
    """All that computes; what only holds, copies and fetches arrays needs none."""
    folder = Path(__file__).parents[2]
    sources = [*(folder / "benchmarks").glob("test_*.py"), folder / "ptycupy" / "bench" / "scene.py"]
    rows = "".join(path.read_text() for path in sources)
    methods = {name for name, _ in inspect.getmembers(Backend, inspect.isfunction) if not name.startswith("_")}
    assert not {name for name in methods - set(dir(Memory)) if f"b.{name}(" not in rows}


def test_backend_says_its_precision(any_backend: Backend) -> None:
    pairs = {"float32": "complex64", "float64": "complex128"}
    assert pairs[str(any_backend.real)] == str(any_backend.complex)
