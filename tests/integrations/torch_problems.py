"""Problems for `ptycupy.integrations.torch`, and the same mathematics composed of torch's own functions."""

import numpy as np
import torch

from ptycupy.integrations.torch import transfer

OBJECT = {"n": 3, "omode": 2, "slices": 3, "pmode": 2, "window": (6, 7), "canvas": (11, 10)}


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


def strided(tensor):
    """The same values on memory that is not contiguous."""
    apart = torch.zeros(*tensor.shape[:-1], 2 * tensor.shape[-1], dtype=tensor.dtype)
    apart[..., ::2] = tensor.detach()
    return apart[..., ::2].requires_grad_(tensor.requires_grad)


def apart(given):
    """The same arguments, none of them contiguous."""
    found = {name: strided(x) for name, x in given.items()}
    assert not any(x.is_contiguous() for x in found.values() if x.ndim > 1)
    return found


def op_arguments(dtype=torch.float32, **changes):
    given, cotangent = scene(dtype, **changes)
    order = ("amplitude", "phase", "probe", "shifts", "transfer", "corners", "occupancy")
    return [given[name] for name in order], cotangent


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
