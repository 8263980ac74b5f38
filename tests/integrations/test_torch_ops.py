"""The ops of `ptycupy.integrations.torch` against plain torch, under what autograd and opcheck do with ops, and with
tensors that are unusual or wrong. They run where torch is installed, which the `dev` extra leaves out."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from integrations.torch_problems import apart, grads, op_arguments, plain, same, scene  # noqa: E402

from ptycupy.errors import PtycupyError  # noqa: E402
from ptycupy.integrations.torch import diffraction, patches, transfer  # noqa: E402


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("fixed", [(), ("transfer",), ("transfer", "occupancy"), ("probe", "shifts")], ids=str)
def test_patterns_and_gradients_are_those_of_plain_torch(dtype, fixed):
    given, cotangent = scene(dtype)
    for name in fixed:
        given[name].requires_grad_(False)
    found, gradients = grads(diffraction, given, cotangent)
    expected, wanted = grads(plain, given, cotangent)
    rtol = 1e-12 if dtype == torch.float64 else 5e-6
    assert torch.linalg.norm(found - expected) <= rtol * torch.linalg.norm(expected)
    assert set(gradients) == set(wanted)
    same(gradients, wanted, rtol)


def test_a_window_with_transforms_of_our_own():
    """64 px and float32 take the fused chain of the CPU backend."""
    given, cotangent = scene(torch.float32, window=(64, 64), canvas=(70, 71))
    given["transfer"].requires_grad_(False)
    given["occupancy"].requires_grad_(False)
    found, gradients = grads(diffraction, given, cotangent)
    expected, wanted = grads(plain, given, cotangent)
    assert torch.linalg.norm(found - expected) <= 5e-6 * torch.linalg.norm(expected)
    same(gradients, wanted, 5e-6)


# opcheck looks at the .grad of copies that it made itself, and is warned.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("changes", [{}, {"slices": 1}, {"n": 1}], ids=str)
def test_opcheck(changes):
    arguments, cotangent = op_arguments(**changes)
    torch.library.opcheck(torch.ops.ptycupy.diffraction.default, arguments)
    detached = [x if x is None else x.detach() for x in arguments]
    wanted = [True, False, True, True, arguments[4] is not None, True]
    torch.library.opcheck(torch.ops.ptycupy.diffraction_backward.default, (cotangent, *detached, wanted))
    cut = (arguments[5], 6, 7)
    torch.library.opcheck(torch.ops.ptycupy.patches.default, (arguments[0], *cut))
    grad = torch.randn(len(arguments[5]), 2, 1 if changes.get("slices") == 1 else 3, 6, 7)
    torch.library.opcheck(torch.ops.ptycupy.patches_backward.default, (grad, arguments[5], 11, 10))


def test_no_grad_and_inference_mode():
    given, _ = scene()
    expected = diffraction(**given)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            found = diffraction(**given)
        assert not found.requires_grad
        assert torch.equal(found, expected)
    assert not diffraction(**{name: x.detach() for name, x in given.items()}).requires_grad


def test_a_second_way_back_is_right_too():
    """The first one uses up what was kept of the way there."""
    given, cotangent = scene()
    wanted = {name: x for name, x in given.items() if x.requires_grad}
    found = diffraction(**given)
    first = torch.autograd.grad(found, list(wanted.values()), cotangent, retain_graph=True)
    second = torch.autograd.grad(found, list(wanted.values()), 2 * cotangent)
    same({n: x / 2 for n, x in zip(wanted, second, strict=True)}, dict(zip(wanted, first, strict=True)), 1e-13)


def test_an_input_that_was_changed_meanwhile_is_noticed():
    given, cotangent = scene(requires_grad=False)
    given["phase"].requires_grad_(True)
    found = diffraction(**given)
    given["amplitude"].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        found.backward(cotangent)


@pytest.mark.parametrize("compiled", [False, True])
def test_double_backward_is_refused_in_words(compiled):
    given, cotangent = scene()
    arguments, _ = op_arguments(torch.float64)
    if compiled:
        found, phase = torch.ops.ptycupy.diffraction(*arguments), arguments[1]
    else:
        found, phase = diffraction(**given), given["phase"]
    (gradient,) = torch.autograd.grad(found, phase, cotangent, create_graph=True)
    with pytest.raises((PtycupyError, RuntimeError), match="double backward is not supported"):
        gradient.sum().backward()


def test_memory_that_is_not_contiguous_gives_the_same():
    given, cotangent = scene()
    expected, wanted = grads(diffraction, given, cotangent)
    found, gradients = grads(diffraction, apart(given), cotangent.mT.contiguous().mT)
    assert torch.equal(found, expected)
    same(gradients, wanted, 1e-12)
    lazily = diffraction(**given | {"probe": given["probe"].conj()})
    assert torch.equal(lazily, diffraction(**given | {"probe": given["probe"].conj().resolve_conj()}))


def test_no_patterns_at_all():
    given, cotangent = scene(n=0)
    found, gradients = grads(diffraction, given, cotangent)
    assert found.shape == (0, 6, 7)
    assert all(x.shape == given[name].shape and not x.any() for name, x in gradients.items())
    empty = torch.zeros((0, 2), dtype=torch.int32)
    field = torch.ones(1, 1, 6, 7, requires_grad=True)
    patches(field, empty, (3, 3)).sum().backward()
    assert patches(field, empty, (3, 3)).shape == (0, 1, 1, 3, 3)
    assert not field.grad.any()


WRONG_PLACES = [
    ("corners", lambda x: x.long(), TypeError, "corners: torch.int64"),
    ("corners", lambda x: x[:, :1], ValueError, "corners: shape"),
    ("corners", lambda x: x + 100, ValueError, r"corners\[0\] = \[100, 100\]: a window of 6 x 7 px there leaves"),
    ("corners", lambda x: x - 1, ValueError, "leaves the object"),
    ("shifts", lambda x: x[:2], ValueError, "shifts: shape"),
    ("phase", lambda x: x[..., 1:], ValueError, "phase: shape"),
    ("transfer", lambda x: None, ValueError, "transfer: None, but 3 slices"),
    ("transfer", lambda x: x[:, :2], ValueError, "transfer: shape"),
    ("probe", lambda x: x[0], ValueError, "probe: shape"),
    ("amplitude", lambda x: x[:, :0], ValueError, "amplitude: shape"),
]


@pytest.mark.parametrize(("name", "change", "error", "message"), WRONG_PLACES)
def test_the_same_of_the_object_and_its_places(name, change, error, message):
    given, _ = scene(requires_grad=False)
    with pytest.raises(error, match=message):
        diffraction(**given | {name: change(given[name])})


def test_a_dtype_of_transfer_that_cannot_be_meant():
    with pytest.raises(TypeError, match="dtype: torch.float16"):
        transfer((4, 4), 0.2, 0.025, 5.0, dtype=torch.float16)
