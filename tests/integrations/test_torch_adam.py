"""`ptycupy.integrations.torch.Adam` against `torch.optim.Adam`."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from ptycupy.errors import PtycupyError  # noqa: E402
from ptycupy.integrations.torch import Adam  # noqa: E402


@pytest.mark.parametrize("options", [{}, {"amsgrad": True, "weight_decay": 0.1, "betas": (0.8, 0.99)}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_adam_is_torch_s_own(options, dtype):
    """Also with a rate that is a tensor, as PtyRAD's schedules have it, and beside a parameter without a gradient."""
    g = torch.Generator().manual_seed(0)
    start = torch.randn(3, 5, 2, generator=g, dtype=dtype)
    own, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    idle = torch.nn.Parameter(start.clone())
    mine = Adam([{"params": [own, idle], "lr": torch.tensor(1e-2, dtype=torch.float64)}], **options)
    reference = torch.optim.Adam([theirs], lr=1e-2, **options)
    for _ in range(6):
        own.grad = torch.randn(3, 5, 2, generator=g, dtype=dtype)
        theirs.grad = own.grad.clone()
        assert mine.step(lambda: 7) == 7
        reference.step()
    tolerance = {"rtol": 1e-12, "atol": 1e-14} if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-7}
    torch.testing.assert_close(own, theirs, **tolerance)
    torch.testing.assert_close(dict(mine.state[own]), dict(reference.state[theirs]), **tolerance)
    assert torch.equal(idle, start)
    mine.load_state_dict(mine.state_dict())
    assert int(mine.state[own]["step"]) == 6


def test_adam_refuses_what_it_does_not_have():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    with pytest.raises(PtycupyError, match="maximize is not supported"):
        Adam([parameter], maximize=True).step()
    half = torch.nn.Parameter(torch.ones(2).half())
    half.grad = torch.ones(2).half()
    with pytest.raises(TypeError, match="a parameter of torch.float16"):
        Adam([half]).step()
