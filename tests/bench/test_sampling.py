"""What is sampled while a benchmark runs; NVML by a module that stands for it."""

import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from ptycupy.bench import sampling


class NVMLError(Exception):
    pass


def fake_nvml(works=True):
    """A pynvml whose load rises with every reading."""
    module = ModuleType("pynvml")
    readings = iter(range(10, 10_000, 10))

    def init():
        if not works:
            raise NVMLError("Driver Not Loaded")

    module.NVMLError = NVMLError
    module.nvmlInit = init
    module.NVML_TEMPERATURE_GPU, module.NVML_CLOCK_SM, module.NVML_CLOCK_MEM = 0, 1, 2
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetUtilizationRates = lambda handle: SimpleNamespace(gpu=next(readings), memory=40)
    module.nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(used=3 * 2**20)
    module.nvmlDeviceGetTemperature = lambda handle, which: 55
    module.nvmlDeviceGetPowerUsage = lambda handle: 250_000
    module.nvmlDeviceGetClockInfo = lambda handle, which: {1: 1980, 2: 2619}[which]
    return module


def test_gpu_is_sampled(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", fake_nvml())
    with sampling.Sampler("cuda:1", interval_s=0.001) as sampler:
        time.sleep(0.02)
    found = sampler.summary
    assert found["gpu_percent"]["max"] > found["gpu_percent"]["mean"] > 10
    assert found["memory_mib"] == {"mean": 3, "max": 3}
    assert found["power_w"]["max"] == 250
    assert (found["sm_clock_mhz"]["max"], found["memory_clock_mhz"]["max"]) == (1980, 2619)


@pytest.mark.parametrize("module", [None, fake_nvml(works=False)])
def test_without_nvml_nothing_is_sampled(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "pynvml", module)
    with sampling.Sampler("cuda:0") as sampler:
        pass
    assert sampler.summary == {}


def test_resident_memory_on_the_cpu():
    with sampling.Sampler("cpu") as sampler:
        pass
    assert sampler.summary["resident_mib"]["max"] >= sampler.summary["resident_mib"]["mean"] > 1
