"""What only a GPU can show: cubins load, atomics and FFTs work, the deterministic path repeats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ptycupy.backends.cuda import CudaBackend, open_device
from ptycupy.backends.cuda.cupy_device import CupyDevice, import_cupy
from ptycupy.backends.cuda.transforms import Transforms

pytestmark = pytest.mark.gpu


@pytest.fixture
def device() -> CupyDevice:
    opened = open_device(0)
    assert isinstance(opened, CupyDevice)
    return opened


def test_cubin_loads_from_a_file_too(device: CupyDevice, tmp_path: Path) -> None:
    """RawModule(path=...) takes the same image as Module.load."""
    cupy = import_cupy()
    (tmp_path / "scale.cubin").write_bytes(device._compiler.image("scale", ("REAL=float",)))
    kernel = cupy.RawModule(path=str(tmp_path / "scale.cubin")).get_function("scale")
    values = cupy.ones(1000, np.float32)
    kernel((4,), (256,), (values, np.float32(2.5), np.uint64(1000)))
    assert (cupy.asnumpy(values) == 2.5).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (13, 1), (12, 17), (128, 128)])
@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_transforms_are_unnormalised(device: CupyDevice, shape: tuple[int, int], dtype: type) -> None:
    rng = np.random.default_rng(0)
    values: NDArray[Any] = (rng.normal(size=(3, *shape)) + 1j * rng.normal(size=(3, *shape))).astype(dtype)
    waves, transforms = device.upload(values, None), Transforms(device)
    transforms.forward(waves)
    expected = np.fft.fft2(values)
    tolerance = (1e-5 if dtype is np.complex64 else 1e-13) * np.abs(expected).max()
    np.testing.assert_allclose(device.download(waves), expected, atol=tolerance)
    transforms.inverse(waves)
    np.testing.assert_allclose(device.download(waves), values * shape[0] * shape[1], atol=tolerance * 20)


def test_deterministic_scatter_repeats(device: CupyDevice) -> None:
    backend = CudaBackend(device, deterministic=True)
    rng = np.random.default_rng(0)
    patches = backend.asarray(rng.normal(size=(200, 1, 2, 32, 32)).astype(np.float32))
    corners, indices = rng.integers(0, 8, (200, 2)).astype(np.int32), np.arange(200, dtype=np.int32)
    places = backend.asarray(corners), backend.asarray(indices)
    results = set()
    for _ in range(20):
        field = backend.zeros((1, 2, 40, 40), np.float32)
        backend.patch_backward(patches, *places, field)
        results.add(backend.to_host(field).tobytes())
    assert len(results) == 1
