"""`ptycupy.integrations.ptyrad.patch` on PtyRAD itself, in an environment that has PtyRAD 1.0.0 and ptycupy.

The losses and gradients of a batch are PtyRAD's own at every level, and so is a whole run.
"""

import importlib.util
import sys
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from ptycupy.errors import ConfigError, PtycupyError
from ptycupy.integrations.ptyrad import NestedPatch, UnknownVersion, patch

pytestmark = pytest.mark.filterwarnings("ignore")  # PtyRAD and what it calls warn of much
needs_ptyrad = pytest.mark.skipif(
    importlib.util.find_spec("ptyrad") is None, reason="PtyRAD is not installed here, see ptycupy/guide/backend.md"
)
SCAN, SIZE = (3, 4), 64


def test_levels_and_versions_are_refused_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "ptyrad", SimpleNamespace(__version__="1.1.0"))
    with pytest.raises(ConfigError, match="level 4 must be 1"), patch(level=4):
        pass
    with pytest.raises(UnknownVersion, match=r"PtyRAD 1\.1\.0 is not known, only 1\.0\.0"), patch(level=1):
        pass


def patterns():
    """[n, ky, kx] float32 counts of an astigmatic disc behind a random screen."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-SIZE // 2 : SIZE // 2, -SIZE // 2 : SIZE // 2]
    disc = (np.hypot(y, x) < SIZE / 8) * np.exp(0.004j * (y**2 - 0.6 * x**2))
    probe = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(disc)))
    screen = np.exp(0.4j * random.standard_normal((SIZE + 16, SIZE + 16)))
    corners = np.indices(SCAN).reshape(2, -1).T * 3
    waves = [probe * screen[row : row + SIZE, column : column + SIZE] for row, column in corners]
    found = np.abs(np.fft.fftshift(np.fft.fft2(waves), axes=(1, 2))) ** 2
    return (found / found.max() * 1e3).astype(np.float32)


def parameters(folder, init=None, losses=None, rates=None, constraints=None, iterations=3):
    """PtyRAD's parameters for these patterns; its defaults but for what is given, and no orthogonalisation, which
    turns modes as LAPACK happens to."""
    from ptyrad.params import PtyRADParams

    with h5py.File(folder / "scan.h5", "w") as file:
        file["dp"] = patterns()
    rates = {"obja": 5e-4, "objp": 5e-4, "probe": 1e-4, "probe_pos_shifts": 5e-4} | (rates or {})
    update = {name: {"start_iter": 1, "lr": rate} for name, rate in rates.items()}
    given = {
        "init_params": {
            "probe_illum_type": "electron",
            "probe_kv": 80.0,
            "probe_conv_angle": 24.9,
            "probe_aberrations": {"C10": 60.0},
            "meas_Npix": SIZE,
            "pos_N_scan_slow": SCAN[0],
            "pos_N_scan_fast": SCAN[1],
            "pos_scan_step_size": 0.6,
            "meas_calibration": {"mode": "dx", "value": 0.2},
            "probe_pmode_max": 2,
            "probe_pmode_init_pows": [0.1],
            "obj_omode_max": 1,
            "obj_Nlayer": 3,
            "obj_slice_thickness": 4.0,
            "pos_scan_rand_std": 0.3,
            "meas_source": "file",
            "meas_params": {"path": str(folder / "scan.h5"), "key": "dp"},
            "random_seed": 0,
            **(init or {}),
        },
        "model_params": {"update_params": update, **({"detector_blur_std": 0.7} if losses else {})},
        "loss_params": {"loss_sparse": {"state": True, "weight": 0.1}, **(losses or {})},
        "constraint_params": {"ortho_pmode": {"start_iter": None}, **(constraints or {})},
        "recon_params": {
            "NITER": iterations,
            "BATCH_SIZE": {"size": 4, "grad_accumulation": 1},
            "SAVE_ITERS": None,
            "output_dir": str(folder),
            "selected_figs": [],
            "convergence_monitor": None,
            "compiler_configs": {"enable": False},
        },
    }
    return PtyRADParams(**given).model_dump()


def problem(params):
    """PtyRAD's model and loss, moved away from where gradients vanish."""
    import torch
    from ptyrad.core import CombinedLoss, PtychoModel
    from ptyrad.init import Initializer

    init = Initializer(params["init_params"], seed=0).init_all()
    model = PtychoModel(init.init_variables, params["model_params"], device="cpu")
    torch.manual_seed(0)
    with torch.no_grad():
        model.opt_objp.add_(0.1 * torch.rand_like(model.opt_objp))
        model.opt_obja.add_(0.05 * torch.rand_like(model.opt_obja))
    return model, CombinedLoss(params["loss_params"], device="cpu")


def loss_and_gradients(model, loss_fn, indices=(0, 5, 7, 11)):
    import torch
    from ptyrad.solver import reconstruction

    batch = torch.tensor(indices)
    measured = model.get_measurements(batch)
    total, terms = reconstruction.compute_loss(batch, model, model, measured, loss_fn)
    model.zero_grad()
    (2 * total).backward()
    found = {name: None if x.grad is None else x.grad.clone() for name, x in model.optimizable_tensors.items()}
    return float(total.detach()), [float(term) for term in terms], found


EVERYTHING = {
    "loss_single": {"state": True, "weight": 1.0},
    "loss_poissn": {"state": True, "weight": 0.3},
    "loss_pacbed": {"state": True, "weight": 0.5},
    "loss_sparse": {"state": True, "weight": 0.1, "ln_order": 2},
    "loss_simlar": {"state": True, "weight": 0.1, "blur_std": 0.8},
}
CASES = {
    "as it comes": {},
    "all losses, two object modes, blur": {"init": {"obj_omode_max": 2}, "losses": EVERYTHING},
    "tilts refined": {
        "rates": {"obj_tilts": 1e-3},
        "init": {"tilt_params": {"tilt_type": "all", "init_tilts": [[3, -2]]}},
    },
    "a tilt each": {
        "rates": {"obj_tilts": 1e-3},
        "init": {"tilt_params": {"tilt_type": "each", "init_tilts": [[0.3 * i, -0.2 * i] for i in range(12)]}},
    },
    "one slice": {"init": {"obj_Nlayer": 1}},
}


@needs_ptyrad
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_the_loss_of_a_batch_and_its_gradients_are_ptyrad_s(case, level, tmp_path):
    import torch

    model, loss_fn = problem(parameters(tmp_path, **CASES[case]))
    total, terms, gradients = loss_and_gradients(model, loss_fn)
    with patch(level):
        found, by_term, own = loss_and_gradients(model, loss_fn)
    assert found == pytest.approx(total, rel=1e-5)
    assert by_term == pytest.approx(terms, rel=2e-5, abs=1e-9)
    for name, expected in gradients.items():
        got = own[name]
        if expected is None:
            assert got is None or not got.any(), name
        else:
            assert torch.linalg.norm(got - expected) <= 5e-4 * torch.linalg.norm(expected), name


@needs_ptyrad
def test_the_gradient_of_the_thickness_agrees_as_far_as_ptyrad_s_goes(tmp_path):
    """Its propagator's carrier phase in float32 makes that gradient rough, by up to 2 %."""
    model, loss_fn = problem(parameters(tmp_path, rates={"slice_thickness": 1e-3}))
    expected = loss_and_gradients(model, loss_fn)[2]["slice_thickness"]
    for level in (1, 2, 3):
        with patch(level):
            found = loss_and_gradients(model, loss_fn)[2]["slice_thickness"]
        assert float(found) == pytest.approx(float(expected), rel=2e-2)


def run(params):
    from ptyrad.solver import PtyRADSolver

    solver = PtyRADSolver(params, device="cpu", seed=0)
    solver.run()
    return solver


@needs_ptyrad
@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_whole_run_is_ptyrad_s(level, tmp_path):
    """Three iterations of three batches with its default constraints; Adam turns rounding into steps, hence 1e-4."""
    import torch

    params = parameters(tmp_path)
    expected = run(params)
    with patch(level):
        found = run(params)
    losses = [np.array([pair[1] for pair in x.reconstruct_results.loss_iters]) for x in (found, expected)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert isinstance(found.optimizer, torch.optim.Adam)
    own = found.optimizer.state_dict()["state"]
    for number, state in expected.optimizer.state_dict()["state"].items():
        assert set(own[number]) == set(state)
        assert float(own[number]["step"]) == float(state["step"])


@needs_ptyrad
def test_everything_is_as_it_was_afterwards():
    from ptycupy.integrations.ptyrad.levels import replacements

    owners = [(owner, name) for owner, name, _ in replacements(3)]
    before = [vars(owner)[name] for owner, name in owners]
    for level in (1, 2, 3):
        for error in (None, KeyboardInterrupt, ValueError):
            with pytest.raises(error) if error else nullcontext(), patch(level):
                inside = [vars(owner)[name] for owner, name in owners]
                assert sum(x is not y for x, y in zip(inside, before, strict=True)) == len(replacements(level))
                if error:
                    raise error("in the block")
            assert all(vars(owner)[name] is old for (owner, name), old in zip(owners, before, strict=True))


@needs_ptyrad
def test_a_patch_within_a_patch_is_refused():
    refused = []

    def work():
        with pytest.raises(NestedPatch), patch(1):
            pass
        refused.append(True)

    with patch(2):
        with pytest.raises(NestedPatch, match="patched already"), patch(1):
            pass
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert refused
    with patch(1):
        pass


@needs_ptyrad
def test_what_level_3_does_not_take_is_named(tmp_path):
    import torch
    from ptyrad.core import CombinedLoss

    class Own(CombinedLoss):
        pass

    params = parameters(tmp_path)
    model, _ = problem(params)
    with patch(3):
        with pytest.raises(PtycupyError, match=r"no loss of one's own \(Own\); level 2 does"):
            loss_and_gradients(model, Own(params["loss_params"], device="cpu"))
        from ptyrad.solver import reconstruction

        batch = torch.tensor([0, 1])
        with pytest.raises(PtycupyError, match="no model in several processes"):
            reconstruction.compute_loss(batch, torch.nn.Sequential(model), model, None, None)
        params["model_params"]["optimizer_params"] = {"name": "SGD", "configs": {}}
        made = reconstruction.create_optimizer({"name": "SGD", "configs": {}}, model.optimizable_params)
        assert type(made) is torch.optim.SGD
