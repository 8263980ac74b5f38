"""Memory of an optimizer from an earlier result: our own, and the layout in which PtyRAD saves torch's."""

import h5py
import numpy as np
import pytest
from scenes import random_scene

from ptycupy import Engine, Settings
from ptycupy.errors import ConfigError, DataError
from ptycupy.reconstruction.adopt import adopt_memory

RATES = {"object_amplitude": 1e-3, "object_phase": 1e-3, "probe": 1e-4, "shifts": 1e-3}
TENSORS = {"obja": "object_amplitude", "objp": "object_phase", "probe": "probe", "probe_pos_shifts": "shifts"}


def engine(problem, state, optimizer="adam"):
    return Engine(problem, state, Settings({"gaussian": {}}, optimizer, RATES, batch_size=64), "cpu")


@pytest.fixture
def scene():
    return random_scene(positions=4)


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "rprop"])
def test_a_run_that_takes_over_the_memory_goes_on_as_the_first(scene, tmp_path, optimizer):
    problem, state = scene
    first = engine(problem, state, optimizer)
    first.run(3)
    first.save(tmp_path / "result.h5")
    second = engine(first.problem, first.state, optimizer)
    adopt_memory(second, str(tmp_path / "result.h5"))
    for running in (first, second):
        running.run(2)
    for name in RATES:
        np.testing.assert_allclose(getattr(second.state, name), getattr(first.state, name), rtol=1e-6, atol=1e-7)


def as_ptyrad(path, running, **more):
    """The moments of an Adam as torch's state_dict stands in PtyRAD's file; tilts have no rate, and so no number."""
    with h5py.File(path, "w") as file:
        for tensor in ("obja", "objp", "obj_tilts", "slice_thickness", "probe", "probe_pos_shifts"):
            file[f"model_attributes/lr_params/{tensor}"] = RATES.get(TENSORS.get(tensor, ""), 0.0)
        for index, field in enumerate(TENSORS.values()):
            moments = running.moments[field]
            for theirs, ours in (("exp_avg", "first"), ("exp_avg_sq", "second")):
                values = np.array(running.backend.to_host(moments.arrays[ours]))
                parts = values.view(np.float32).reshape(*values.shape, 2) if values.dtype.kind == "c" else values
                file[f"optim_state_dict/state/{index}/{theirs}"] = more.get(theirs, parts)
            file[f"optim_state_dict/state/{index}/step"] = np.float32(moments.step)
    return str(path)


def test_the_memory_of_torch(scene, tmp_path):
    problem, state = scene
    first = engine(problem, state)
    first.run(3)
    second = engine(problem, state)
    adopt_memory(second, as_ptyrad(tmp_path / "model.hdf5", first))
    for name in RATES:
        ours, theirs = second.moments[name], first.moments[name]
        assert ours.step == theirs.step == 3
        for key, values in theirs.arrays.items():
            assert ours.arrays[key].dtype == values.dtype
            np.testing.assert_array_equal(ours.arrays[key], values)


def test_memory_that_does_not_fit_is_named(scene, tmp_path):
    problem, state = scene
    first = engine(problem, state)
    first.run(1)
    path = as_ptyrad(tmp_path / "model.hdf5", first)
    with pytest.raises(DataError, match=r"remembers first, second of object_amplitude, where Rprop remembers previous"):
        adopt_memory(engine(problem, state, "rprop"), path)
    with pytest.raises(ConfigError, match=r"memory_path: Lbfgs keeps no memory of this kind"):
        adopt_memory(engine(problem, state, "lbfgs"), path)
    other = as_ptyrad(tmp_path / "other.hdf5", first, exp_avg=np.zeros((1, 1, 5, 5), np.float32))
    with pytest.raises(DataError, match=r"first of object_amplitude has the shape \(1, 1, 5, 5\); .* is needed"):
        adopt_memory(engine(problem, state), other)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["optim_state_dict"] = "__NONE__"
    with pytest.raises(DataError, match=r"memory_path: .*holds no memory of an optimizer; PtyRAD saves one where"):
        adopt_memory(engine(problem, state), str(tmp_path / "empty.h5"))
