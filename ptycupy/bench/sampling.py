"""Load, memory, temperature, power and clocks while something runs: NVML on a GPU, resident memory on a CPU."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

INTERVAL = 0.1  # s
STATM = Path("/proc/self/statm")
Reading = dict[str, float]


def gpu_reader(index: int) -> Callable[[], Reading] | None:
    """What reads a GPU's state; None where pynvml or its driver is missing."""
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def read() -> Reading:
        rates = nvml.nvmlDeviceGetUtilizationRates(handle)
        return {
            "gpu_percent": float(rates.gpu),
            "memory_controller_percent": float(rates.memory),
            "memory_mib": nvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20,
            "temperature_c": float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            "power_w": nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
            "sm_clock_mhz": float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
            "memory_clock_mhz": float(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM)),
        }

    return read


def resident_reader() -> Callable[[], Reading] | None:
    """What reads this process's resident memory; None where the system does not say so."""
    if not STATM.exists():
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return lambda: {"resident_mib": int(STATM.read_text(encoding="ascii").split()[1]) * page / 2**20}


def reader_for(device: str) -> Callable[[], Reading] | None:
    """Of a backend by its name: "cpu" or "cuda:0"."""
    if device == "cpu":
        return resident_reader()
    return gpu_reader(int(device.partition(":")[2] or 0))


class Sampler:
    """Reads every 0.1 s in a thread of its own, from entering to leaving; `summary` has mean and maximum."""

    def __init__(self, device: str, interval_s: float = INTERVAL) -> None:
        self._read = reader_for(device)
        self._interval = interval_s
        self._readings: list[Reading] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Sampler:
        if self._read is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._read is not None:
            self._thread.join()

    def _sample(self) -> None:
        if self._read is None:
            return
        while True:
            self._readings.append(self._read())
            if self._ended.wait(self._interval):
                self._readings.append(self._read())
                return

    @property
    def summary(self) -> dict[str, dict[str, float]]:
        """name -> mean and max of all readings; empty where nothing can be read."""
        names = self._readings[0] if self._readings else {}
        columns = {name: [reading[name] for reading in self._readings] for name in names}
        return {name: {"mean": sum(values) / len(values), "max": max(values)} for name, values in columns.items()}
