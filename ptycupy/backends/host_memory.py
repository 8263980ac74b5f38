"""How much memory the host can still give, and how much this process has."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def _number(path: Path) -> int | None:
    """The integer in a file of the kernel; None where there is no such file or no limit."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _control_group_bytes() -> int | None:
    """What the limits of this process's control groups (containers, batch jobs) leave; None without limits."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    left: list[int] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit_name, used_name = Path("/sys/fs/cgroup"), "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit_name, used_name = (
                Path("/sys/fs/cgroup/memory"),
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        else:
            continue
        for folder in (root / path.lstrip("/"), root):
            limit, used = _number(folder / limit_name), _number(folder / used_name)
            if limit is not None and used is not None:
                left.append(max(limit - used, 0))
    return min(left, default=None)


def _linux_bytes() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _windows_bytes() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "available", "page_total", "page_free", "virtual_total", "virtual_free", "extended")
        ]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return int(status.available)


def free_bytes() -> int:
    """Memory that this process may still take, as far as the system says."""
    if sys.platform == "win32":
        return _windows_bytes()
    available = _linux_bytes()
    if available is None:  # macOS tells no more than the size without a tool of its own; half of it is usual to be free
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    limits = (_control_group_bytes(), _address_space_bytes())
    return min([available, *(limit for limit in limits if limit is not None)])


def resident_bytes() -> int:
    """Memory that this process has now, code and mapped files included; 0 where the system does not say."""
    return status_bytes("VmRSS:") or 0


def _address_space_bytes() -> int | None:
    """What the limit of this process's addresses (ulimit -v) leaves; None without a limit."""
    import resource

    limit, used = resource.getrlimit(resource.RLIMIT_AS)[0], status_bytes("VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else max(limit - used, 0)


def status_bytes(name: str) -> int | None:
    """A size that Linux states about this process, as "VmHWM:", the most that it had; None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


__all__ = ["free_bytes", "resident_bytes", "status_bytes"]
