"""The ops of `ptycupy.integrations.torch`: against plain torch, against finite differences, and under what torch does
with ops. They run where torch is installed, which the `dev` extra leaves out."""

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch, see ptycupy/guide/backend.md")

from ptycupy.errors import PtycupyError  # noqa: E402
from ptycupy.integrations.torch import Adam, diffraction, multislice_forward, patches, transfer  # noqa: E402

OBJECT = {"n": 3, "omode": 2, "slices": 3, "pmode": 2, "window": (6, 7), "canvas": (11, 10)}
NAMES = ("obja_patches", "objp_patches", "probe", "H", "omode_occu")


def complex_of(dtype):
    return torch.complex128 if dtype == torch.float64 else torch.complex64


def scene(dtype=torch.float64, requires_grad=True, seed=0, **changes):
    """Arguments of `diffraction` by name, and a cotangent for its result."""
    size = OBJECT | changes
    n, modes, slices, window = size["n"], size["omode"], size["slices"], size["window"]
    g = torch.Generator().manual_seed(seed)

    def normal(*shape, of=dtype):
        return torch.randn(shape, generator=g, dtype=of)

    shape = (modes, slices, *size["canvas"])
    given = {
        "amplitude": 1 + 0.1 * normal(*shape),
        "phase": 0.3 * normal(*shape),
        "probe": normal(size["pmode"], *window, of=complex_of(dtype)),
        "shifts": 0.3 * normal(n, 2),
        "transfer": transfer(window, 0.2, 0.025, torch.tensor([5.0, 7.0]), 2 * normal(n, 2), dtype=dtype),
        "occupancy": torch.softmax(normal(modes), 0),
    }
    if slices == 1:
        given["transfer"] = None
    given = {name: x if x is None else x.detach().requires_grad_(requires_grad) for name, x in given.items()}
    room = np.subtract(size["canvas"], window) + 1
    corners = [[(3 * i + seed) % room[0], (2 * i) % room[1]] for i in range(n)]
    given["corners"] = torch.tensor(corners, dtype=torch.int32).reshape(n, 2)
    return given, normal(n, *window)


def plain(amplitude, phase, probe, corners, shifts, transfer, occupancy):
    """The same as a plain composition of torch's own functions."""
    height, width = probe.shape[-2:]
    fy, fx = (torch.fft.fftfreq(count, dtype=shifts.dtype) for count in (height, width))
    angle = -2 * torch.pi * (shifts[:, :1, None] * fy[:, None] + shifts[:, 1:, None] * fx)
    ramps = torch.polar(torch.ones_like(angle), angle)
    waves = torch.fft.ifft2(torch.fft.fft2(probe) * ramps[:, None])[:, None]
    windows = [torch.polar(amplitude, phase)[:, :, y : y + height, x : x + width] for y, x in corners.tolist()]
    objects = torch.stack(windows)  # [n, o, z, y, x]
    slices = objects.shape[2]
    for s in range(slices):
        if s > 0:
            waves = torch.fft.ifft2(torch.fft.fft2(waves) * transfer[(s - 1) % len(transfer), :, None, None])
        waves = waves * objects[:, :, None, s]
    far = torch.fft.fft2(waves, norm="ortho").abs() ** 2
    return torch.fft.fftshift((far.sum(2) * occupancy[:, None, None]).sum(1) + 1e-10, dim=(-2, -1))


def grads(function, given, cotangent):
    """The result, and the gradients of everything that wants one."""
    found = function(**given)
    wanted = {name: x for name, x in given.items() if x is not None and x.requires_grad}
    return found, dict(zip(wanted, torch.autograd.grad(found, list(wanted.values()), cotangent), strict=True))


def same(found, expected, rtol):
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.linalg.norm(found[name] - value) <= rtol * torch.linalg.norm(value), name


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


def op_arguments(dtype=torch.float32, **changes):
    given, cotangent = scene(dtype, **changes)
    order = ("amplitude", "phase", "probe", "shifts", "transfer", "corners", "occupancy")
    return [given[name] for name in order], cotangent


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


# --- bad and unusual tensors -----------------------------------------------------------------------------------------
def pattern_arguments(dtype=torch.float32, n=3):
    g = torch.Generator().manual_seed(1)
    given = {
        "obja_patches": 1 + 0.1 * torch.randn(n, 2, 3, 6, 7, generator=g, dtype=dtype),
        "objp_patches": 0.3 * torch.randn(n, 2, 3, 6, 7, generator=g, dtype=dtype),
        "probe": torch.randn(n, 2, 6, 7, generator=g, dtype=complex_of(dtype)),
        "H": transfer((6, 7), 0.2, 0.025, 5.0, dtype=dtype)[0],
        "omode_occu": torch.tensor([0.3, 0.7], dtype=dtype),
    }
    return {name: x.detach().requires_grad_() for name, x in given.items()}, torch.randn(n, 6, 7, dtype=dtype)


def strided(tensor):
    """The same values on memory that is not contiguous."""
    apart = torch.zeros(*tensor.shape[:-1], 2 * tensor.shape[-1], dtype=tensor.dtype)
    apart[..., ::2] = tensor.detach()
    return apart[..., ::2].requires_grad_(tensor.requires_grad)


def test_memory_that_is_not_contiguous_gives_the_same():
    for function, (given, cotangent) in ((diffraction, scene()), (multislice_forward, pattern_arguments())):
        apart = {name: strided(x) for name, x in given.items()}
        assert not any(x.is_contiguous() for name, x in apart.items() if x.ndim > 1)
        expected, wanted = grads(function, given, cotangent)
        found, gradients = grads(function, apart, cotangent.mT.contiguous().mT)
        assert torch.equal(found, expected)
        same(gradients, wanted, 1e-12)
    given, _ = scene()
    lazily = diffraction(**given | {"probe": given["probe"].conj()})
    assert torch.equal(lazily, diffraction(**given | {"probe": given["probe"].conj().resolve_conj()}))


def test_no_patterns_at_all():
    for function, (given, cotangent) in ((diffraction, scene(n=0)), (multislice_forward, pattern_arguments(n=0))):
        found, gradients = grads(function, given, cotangent)
        assert found.shape == (0, 6, 7)
        assert all(x.shape == given[name].shape and not x.any() for name, x in gradients.items())
    empty = torch.zeros((0, 2), dtype=torch.int32)
    field = torch.ones(1, 1, 6, 7, requires_grad=True)
    patches(field, empty, (3, 3)).sum().backward()
    assert patches(field, empty, (3, 3)).shape == (0, 1, 1, 3, 3)
    assert not field.grad.any()


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


# --- Adam ------------------------------------------------------------------------------------------------------------
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


# --- threads ---------------------------------------------------------------------------------------------------------
def test_threads_do_not_disturb_each_other():
    """Each has a problem of its own, goes there, waits for the others, and goes back."""
    count = 4
    problems = [scene(torch.float32, window=(64, 64), canvas=(70, 71), seed=seed) for seed in range(count)]
    for given, _ in problems:
        given["transfer"].requires_grad_(False)
        given["occupancy"].requires_grad_(False)
    expected = [grads(diffraction, *problem) for problem in problems]
    barrier, failures = threading.Barrier(count), []

    def work(number):
        try:
            given, cotangent = problems[number]
            wanted = {name: x for name, x in given.items() if x.requires_grad}
            for _ in range(5):
                found = diffraction(**given)
                barrier.wait(60)
                gradients = torch.autograd.grad(found, list(wanted.values()), cotangent)
                assert torch.equal(found, expected[number][0])
                same(dict(zip(wanted, gradients, strict=True)), expected[number][1], 1e-7)
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_two_passes_that_wait_keep_their_waves_apart():
    """Both go there before either goes back."""
    problems = [scene(torch.float32, seed=seed) for seed in (0, 1)]
    expected = [grads(diffraction, *problem)[1] for problem in problems]
    there = [diffraction(**given) for given, _ in problems]
    for (given, cotangent), found, wanted in zip(problems, there, expected, strict=True):
        tensors = [given[name] for name in wanted]
        same(dict(zip(wanted, torch.autograd.grad(found, tensors, cotangent), strict=True)), wanted, 1e-7)


# --- on a GPU --------------------------------------------------------------------------------------------------------
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
