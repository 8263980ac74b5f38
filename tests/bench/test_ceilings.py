"""What the machine can do at best."""

import pytest
from cuda_on_cpu.host_device import HostDevice

from ptycupy import backends
from ptycupy.backends.cuda import CudaBackend
from ptycupy.bench import ceilings


def test_rates_are_measured():
    rates = ceilings.cpu_fft_rates((16, 24), budget_s=0.0)
    assert {rate.library for rate in rates} == {"rocket-fft", "scipy"}
    assert rates == sorted(rates, key=lambda rate: -rate.gflops)
    assert all(rate.gflops > 0 for rate in rates)
    assert rates[0].gflops == pytest.approx(ceilings.transform_flops((16, 24)) / rates[0].seconds_per_wave / 1e9)


def test_copy_rate(monkeypatch):
    monkeypatch.setattr(ceilings, "COPIED", 2**16)
    assert ceilings.copy_rate(backends.select("cpu"), budget_s=0.0) > 0


def test_rates_of_a_gpu(kernel_folder, monkeypatch):
    """On the harness: the plans of the CUDA backend on a stack of its own."""
    monkeypatch.setattr(ceilings, "COPIED", 2**16)
    monkeypatch.setattr(ceilings, "GPU_STACK", 3 * 8 * 16**2)
    backend = CudaBackend(HostDevice(kernel_folder))
    (rate,) = ceilings.fft_rates(backend, (16, 16), budget_s=0.0)
    assert (rate.library, rate.waves) == ("cufft", 3)
    assert ceilings.copy_rate(backend, budget_s=0.0) > 0


def test_flops_of_a_transform():
    assert ceilings.transform_flops((128, 128)) == 5 * 128**2 * 14
    assert ceilings.iteration_transform_flops((128, 128), 10, 2, 3) == 4 * 3 * 10 * 2 * 5 * 128**2 * 14
