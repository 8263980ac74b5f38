"""The ops of `ptycupy.integrations.torch` on tensors of an NVIDIA GPU: the same numbers, no copies, streams apart."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from integrations.torch_problems import grads, same, scene  # noqa: E402

from ptycupy.integrations.torch import diffraction  # noqa: E402

pytestmark = pytest.mark.gpu


def on_gpu(given, cotangent):
    moved = {name: x if x is None else x.detach().cuda().requires_grad_(x.requires_grad) for name, x in given.items()}
    return moved, cotangent.cuda()


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_gpu_gives_what_the_cpu_gives(dtype):
    problem = scene(dtype)
    expected, wanted = grads(diffraction, *problem)
    found, gradients = grads(diffraction, *on_gpu(*problem))
    assert found.is_cuda
    rtol = 1e-12 if dtype == torch.float64 else 1e-5
    assert torch.linalg.norm(found.cpu() - expected) <= rtol * torch.linalg.norm(expected)
    same({name: x.cpu() for name, x in gradients.items()}, wanted, rtol)


@pytest.mark.gpu
def test_tensors_of_a_gpu_are_not_copied():
    from ptycupy.integrations.torch.memory import array, queue, tensor

    values = torch.arange(6.0, device="cuda")
    with queue(values.device, values.dtype):
        borrowed = array(values)
        assert borrowed.data.ptr == values.data_ptr()
        assert tensor(borrowed).data_ptr() == values.data_ptr()


@pytest.mark.gpu
def test_opcheck_and_gradcheck_on_a_gpu():
    given, _ = on_gpu(*scene(torch.float32))
    order = ("amplitude", "phase", "probe", "shifts", "transfer", "corners", "occupancy")
    torch.library.opcheck(torch.ops.ptycupy.diffraction.default, [given[name] for name in order])
    given, _ = on_gpu(*scene())
    corners = given.pop("corners")

    def function(*tensors):
        return diffraction(corners=corners, **dict(zip(given, tensors, strict=True)))

    assert torch.autograd.gradcheck(function, list(given.values()), fast_mode=True, nondet_tol=1e-10)


@pytest.mark.gpu
def test_streams_do_not_disturb_each_other():
    """Both run at once, behind what is queued on them before: the inputs come late."""
    problems = [scene(torch.float32, window=(64, 64), canvas=(70, 71), n=16, seed=seed) for seed in (0, 1)]
    expected = [grads(diffraction, *problem) for problem in problems]
    moved, streams, found = [on_gpu(*problem) for problem in problems], [torch.cuda.Stream() for _ in problems], []
    torch.cuda.synchronize()
    for _ in range(5):
        found.clear()
        for (given, cotangent), stream in zip(moved, streams, strict=True):
            with torch.cuda.stream(stream):
                torch.cuda._sleep(10_000_000)
                late = {
                    name: x.detach().clone().requires_grad_(x.requires_grad)
                    if x.is_floating_point() or x.is_complex()
                    else x
                    for name, x in given.items()
                }
                found.append(grads(diffraction, late, cotangent))
        torch.cuda.synchronize()
        for (patterns, gradients), (right, wanted) in zip(found, expected, strict=True):
            assert torch.linalg.norm(patterns.cpu() - right) <= 1e-5 * torch.linalg.norm(right)
            same({name: x.cpu() for name, x in gradients.items()}, wanted, 1e-5)
