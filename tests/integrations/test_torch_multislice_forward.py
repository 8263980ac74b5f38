"""`multislice_forward` of `ptycupy.integrations.torch`, which has PtyRAD 1.0.0's signature: unusual and wrong tensors.
test_ptyrad.py compares it with PtyRAD's own."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from integrations.torch_problems import apart, grads, pattern_arguments, same  # noqa: E402

from ptycupy.errors import PtycupyError  # noqa: E402
from ptycupy.integrations.torch import multislice_forward  # noqa: E402


def test_memory_that_is_not_contiguous_gives_the_same():
    given, cotangent = pattern_arguments()
    expected, wanted = grads(multislice_forward, given, cotangent)
    found, gradients = grads(multislice_forward, apart(given), cotangent.mT.contiguous().mT)
    assert torch.equal(found, expected)
    same(gradients, wanted, 1e-12)


def test_no_patterns_at_all():
    given, cotangent = pattern_arguments(n=0)
    found, gradients = grads(multislice_forward, given, cotangent)
    assert found.shape == (0, 6, 7)
    assert all(x.shape == given[name].shape and not x.any() for name, x in gradients.items())


WRONG = [
    ("obja_patches", lambda x: x.half(), TypeError),
    ("obja_patches", lambda x: x.detach().numpy(), TypeError),
    ("objp_patches", lambda x: x.double(), TypeError),
    ("objp_patches", lambda x: x[:, :, :2], ValueError),
    ("probe", lambda x: x.to(torch.complex128), TypeError),
    ("probe", lambda x: x.real, TypeError),
    ("probe", lambda x: x[:2], ValueError),
    ("probe", lambda x: x.to("meta"), ValueError),
    ("H", lambda x: x.real, TypeError),
    ("H", lambda x: x[0], ValueError),
    ("H", lambda x: x.to("meta"), ValueError),
    ("omode_occu", lambda x: x.double(), TypeError),
    ("omode_occu", lambda x: x[:1], ValueError),
]


@pytest.mark.parametrize(("name", "change", "error"), WRONG)
def test_what_cannot_be_meant_is_refused_by_name(name, change, error):
    given, _ = pattern_arguments()
    with pytest.raises(error, match=f"^{name}: ") as raised:
        multislice_forward(**given | {name: change(given[name])})
    assert isinstance(raised.value, PtycupyError)
