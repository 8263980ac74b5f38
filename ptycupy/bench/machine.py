"""What the figures were measured on: device, clocks, versions and date, the head of every record."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from ptycupy.reconstruction.resume import versions

CPUINFO = Path("/proc/cpuinfo")


def describe_machine(device: str) -> dict[str, Any]:
    """date, device, machine (processor, cores, clocks, load, system) and versions."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": device,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "clock_mhz": _cpuinfo("cpu MHz"),
            "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # what else runs here
            "system": platform.platform(),
        },
        "versions": versions(),
    }


def processor() -> str:
    """The processor's name as the system tells it."""
    names = _cpuinfo("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _cpuinfo(key: str) -> list[str]:
    """What Linux says about each core; empty elsewhere."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key]
