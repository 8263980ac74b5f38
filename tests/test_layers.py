"""The house keeps its shape: imports point down, every heavy package has one home, device arrays meet kernels only."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scenes import random_scene

PACKAGE = Path(__file__).parents[1] / "ptycupy"
LAYERS = [
    "errors", "config", "data", "experiment", "storage", "backends", "tape", "ops", "gradient_check", "model",
    "simulate", "update", "distributed", "planning", "reconstruction", "outputs", "analysis", "plot", "functional",
    "doctor", "live", "api", "guide", "integrations", "tune", "bench", "cli",
]  # fmt: skip
HOMES = {
    "cupy": ["backends/cuda"],
    "cupyx": ["backends/cuda"],
    "numba": ["backends/cpu"],
    "rocket_fft": ["backends/cpu"],
    "optuna": ["tune"],
    "yaml": ["config"],
    "pydantic": ["config"],
    "mpi4py": ["distributed"],
    "torch": ["integrations"],
    "ptyrad": ["integrations/ptyrad"],
    "jax": ["integrations"],
    "phaser": ["integrations/phaser"],
    "ptychi": ["integrations/ptychi"],
    "matplotlib": ["outputs"],
    "h5py": ["data/readers", "storage"],
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """Every module that a file names in an import, anywhere in it, with relative ones resolved."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ["ptycupy", *path.relative_to(PACKAGE).parts[:-1]]
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return found


def layer_of(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "ptycupy" and len(parts) > 1 else None


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path):
    own = layer_of(".".join(["ptycupy", *path.relative_to(PACKAGE).with_suffix("").parts]))
    if own in {"__init__", "__main__"}:  # the public surface itself
        return
    assert own in LAYERS, f"{own} has no place in the list of layers"
    below = set(LAYERS[: LAYERS.index(own) + 1])
    named = {layer_of(module) for module in imported(path)} - {None, "__version__"}
    assert named <= below, f"{name_of(path)} imports upwards: {sorted(named - below)}"


@pytest.mark.parametrize("package", HOMES)
def test_one_home(package):
    users = {name_of(path) for path in MODULES if any(module.split(".")[0] == package for module in imported(path))}
    strangers = {user for user in users if not user.startswith(tuple(HOMES[package]))}
    assert not strangers, f"{package} lives in {' and '.join(HOMES[package])}, not in {sorted(strangers)}"


INDEX_HELPERS = {"fftfreq", "fftshift", "ifftshift"}  # no transforms: they only number and move pixels


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_transforms_of_numpy(path):
    """numpy.fft computes in double precision only; backends transform, and scipy.fft does where there is no backend."""
    assert not {module for module in imported(path) if module.startswith("numpy.fft")}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"np.fft", "numpy.fft"}:
            assert node.attr in INDEX_HELPERS, f"{name_of(path)}:{node.lineno} uses numpy.fft.{node.attr}"


def test_importing_ptycupy_is_light():
    heavy = "{'cupy', 'numba', 'matplotlib', 'optuna', 'scipy', 'pydantic', 'yaml', 'h5py', 'rich', 'torch'}"
    code = f"import sys, ptycupy, ptycupy.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Sealed(np.ndarray):
    """A device array as ops and update may see it: it has a shape and views, but no arithmetic."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        raise TypeError(f"arithmetic on a device array outside of a kernel: {ufunc.__name__}")

    def __array_function__(self, function, types, args, keywords):
        raise TypeError(f"arithmetic on a device array outside of a kernel: {function.__name__}")


def mapped(change, value):
    if isinstance(value, np.ndarray):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)(mapped(change, item) for item in value)
    return value


class SealedBackend:
    """The CPU backend behind sealed arrays."""

    def __init__(self, backend):
        self._backend = backend

    def __getattr__(self, name):
        found = getattr(self._backend, name)
        if not callable(found) or isinstance(found, type):
            return found

        def method(*arguments, **keywords):
            plain = [mapped(np.asarray, argument) for argument in arguments]
            result = found(*plain, **{key: mapped(np.asarray, value) for key, value in keywords.items()})
            return result if name == "to_host" else mapped(lambda array: array.view(Sealed), result)

        return method


def test_ops_and_update_do_no_arithmetic_on_device_arrays():
    """Loss, gradients, optimizer and every constraint run on arrays that refuse arithmetic: kernels do all of it."""
    from ptycupy import Engine, Settings, backends
    from ptycupy.update.constraints import CONSTRAINTS
    from ptycupy.update.settings import Constraint

    problem, state = random_scene(positions=6, probe_modes=2, object_modes=2, detector_blur=0.5, scan_shape=(2, 3))
    settings = Settings(
        losses={name: {} for name in ("gaussian", "poisson", "pacbed", "sparsity", "similarity")},
        learning_rates=dict.fromkeys(("object_amplitude", "object_phase", "probe", "shifts", "tilts"), 1e-4)
        | {"slice_thickness": 1e-4},
        constraints=[Constraint(name) for name in CONSTRAINTS],
        batch_size=4,
        gradient_accumulation=2,
        sub_batch=3,
        on_divergence="halve_lr",
    )
    backend = SealedBackend(backends.select("cpu", "float64"))
    with pytest.raises(TypeError, match="outside of a kernel: multiply"):
        backend.zeros((2,), np.float64) * 2
    engine = Engine(problem, state, settings, backend=backend, dtype="float64")
    engine.run(2)
    assert engine.iteration == 2
