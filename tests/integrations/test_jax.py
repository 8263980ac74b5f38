"""`ptycupy.integrations.jax` against the same written in JAX, which is where it runs: `dev` leaves JAX out."""

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="JAX is not installed: pip install jax, see ptycupy/guide/backend.md")

import jax.numpy as jnp  # noqa: E402
from jax.test_util import check_grads  # noqa: E402

from ptycupy.errors import ConfigError  # noqa: E402
from ptycupy.integrations.jax import diffraction  # noqa: E402

NAMES = ("amplitude", "phase", "probe", "shifts", "transfer", "occupancy")
CORNERS = np.array([[0, 1], [5, 0], [2, 3]], np.int32)


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def scene(real=np.float64, slices=3):
    """Arguments by name, without the corners, and a cotangent."""
    g = np.random.default_rng(0)
    wave = np.result_type(real, np.complex64)
    shape = (2, slices, 11, 10)
    given = {
        "amplitude": (1 + 0.1 * g.standard_normal(shape)).astype(real),
        "phase": (0.3 * g.standard_normal(shape)).astype(real),
        "probe": (g.standard_normal((2, 6, 7)) + 1j * g.standard_normal((2, 6, 7))).astype(wave),
        "shifts": (0.3 * g.standard_normal((3, 2))).astype(real),
        "transfer": np.exp(2j * g.standard_normal((max(1, slices - 1), 3, 6, 7))).astype(wave),
        "occupancy": np.array([0.3, 0.7], real),
    }
    return given, g.standard_normal((3, 6, 7)).astype(real)


def ours(given):
    return diffraction(**given, corners=CORNERS)


def plain(given):
    """The same as a plain composition of JAX's own functions."""
    height, width = given["probe"].shape[-2:]
    fy, fx = (np.fft.fftfreq(count) for count in (height, width))
    shifts = given["shifts"][:, :, None, None]
    ramps = jnp.exp(-2j * np.pi * (shifts[:, 0] * fy[:, None] + shifts[:, 1] * fx))
    waves = jnp.fft.ifft2(jnp.fft.fft2(given["probe"]) * ramps[:, None])[:, None]
    whole = given["amplitude"] * jnp.exp(1j * given["phase"])
    objects = jnp.stack([whole[:, :, y : y + height, x : x + width] for y, x in CORNERS])
    for s in range(objects.shape[2]):
        if s > 0:
            waves = jnp.fft.ifft2(jnp.fft.fft2(waves) * given["transfer"][s - 1][:, None, None])
        waves = waves * objects[:, :, None, s]
    far = jnp.abs(jnp.fft.fft2(waves, norm="ortho")) ** 2
    return jnp.fft.fftshift((far.sum(2) * given["occupancy"][:, None, None]).sum(1) + 1e-10, axes=(-2, -1))


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(("real", "rtol"), [(np.float64, 1e-12), (np.float32, 5e-6)])
def test_patterns_and_gradients_are_those_of_plain_jax(real, rtol, jit):
    given, cotangent = scene(real)

    def loss(function):
        made = jax.value_and_grad(lambda arguments: jnp.vdot(cotangent, function(arguments)))
        return (jax.jit(made) if jit else made)(given)

    (found, gradients), (expected, wanted) = loss(ours), loss(plain)
    assert found == pytest.approx(float(expected), rel=100 * rtol)
    np.testing.assert_allclose(ours(given), plain(given), rtol=100 * rtol, atol=rtol)
    for name in NAMES:
        assert gradients[name].dtype == given[name].dtype
        assert np.linalg.norm(gradients[name] - wanted[name]) <= rtol * np.linalg.norm(wanted[name]), name


@pytest.mark.parametrize("slices", [1, 2])
def test_gradients_against_finite_differences(slices):
    given, _ = scene(slices=slices)
    check_grads(ours, (given,), order=1, modes=["rev"], rtol=1e-5)


def test_vmap_calls_it_once_for_each():
    given, _ = scene()
    phases = np.stack([given["phase"], 2 * given["phase"]])
    found = jax.vmap(lambda phase: ours(given | {"phase": phase}))(phases)
    np.testing.assert_allclose(found[1], ours(given | {"phase": phases[1]}), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("amplitude", lambda x: x[0]),
        ("phase", lambda x: x.astype(np.float32)),
        ("probe", lambda x: x.real),
        ("shifts", lambda x: x[:1]),
        ("transfer", lambda x: x[:, :2]),
        ("transfer", lambda x: None),
        ("occupancy", lambda x: x[:1]),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name, change):
    given, _ = scene()
    with pytest.raises(ConfigError, match=f"^{name}: "):
        ours(given | {name: change(given[name])})
    with pytest.raises(ConfigError, match="^corners: "):
        diffraction(**given, corners=CORNERS.astype(np.int64))
