"""The gradients of `ptycupy.integrations.torch` against torch's own finite differences, in double precision."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from integrations.torch_problems import scene  # noqa: E402

from ptycupy.integrations.torch import diffraction, patches, transfer  # noqa: E402


@pytest.mark.parametrize("changes", [{}, {"slices": 1}, {"n": 1, "omode": 1, "pmode": 1}], ids=str)
def test_gradcheck(changes):
    given, _ = scene(**changes)
    corners = given.pop("corners")
    names = [name for name, x in given.items() if x is not None]

    def function(*tensors):
        return diffraction(corners=corners, **dict(zip(names, tensors, strict=True)))

    assert torch.autograd.gradcheck(function, [given[name] for name in names], fast_mode=True)


def test_gradcheck_of_transfer_and_patches():
    tilts = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    thickness = torch.tensor([5.0, 7.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t, d: transfer((3, 2), 0.2, 0.025, d, t, torch.float64), (tilts, thickness))
    field = torch.randn(1, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    corners = torch.tensor([[0, 0], [2, 3], [0, 1]], dtype=torch.int32)
    assert torch.autograd.gradcheck(lambda x: patches(x, corners, (4, 4)), field)
    assert torch.autograd.gradgradcheck(lambda x: patches(x, corners, (4, 4)), field)
