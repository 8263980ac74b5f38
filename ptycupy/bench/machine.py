"""What the figures were measured on: device, clocks, versions and date, the head of every record."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

from ptycupy.backends.cpuinfo import cpuinfo, processor
from ptycupy.reconstruction.resume import versions


def describe_machine(device: str) -> dict[str, Any]:
    """date, device, machine (processor, cores, clocks, load, system) and versions."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": device,
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "clock_mhz": cpuinfo("cpu MHz"),
            "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # what else runs here
            "system": platform.platform(),
        },
        "versions": versions(),
    }
