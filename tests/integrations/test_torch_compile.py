"""`torch.compile` takes the ops of `ptycupy.integrations.torch` into its graphs."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from integrations.torch_problems import same, scene  # noqa: E402

from ptycupy.integrations.torch import diffraction, patches  # noqa: E402


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_takes_everything_into_one_graph(dynamic):
    def loss(given, cotangent):
        cut = patches(given["phase"], given["corners"], (6, 7))
        return (diffraction(**given) * cotangent).sum() + (cut**2).sum()

    torch._dynamo.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for n in (3, 4) if dynamic else (3,):
        given, cotangent = scene(torch.float32, n=n)
        wanted = {name: x for name, x in given.items() if x.requires_grad}
        expected = torch.autograd.grad(loss(given, cotangent), list(wanted.values()))
        found = torch.autograd.grad(compiled(given, cotangent), list(wanted.values()))
        same(dict(zip(wanted, found, strict=True)), dict(zip(wanted, expected, strict=True)), 1e-6)
