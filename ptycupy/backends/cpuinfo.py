"""What Linux says of the processor."""

from __future__ import annotations

import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name as the system tells it."""
    names = cpuinfo("model name")
    return names[0] if names else platform.processor() or platform.machine()


def cpuinfo(key: str) -> list[str]:
    """What Linux says about each core; empty elsewhere."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key]


__all__ = ["cpuinfo", "processor"]
