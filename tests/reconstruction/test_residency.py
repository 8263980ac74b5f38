"""Where patterns lie: the nearest tier that has room, what is asked for, and how it is told."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import ptycupy
from ptycupy import Residency
from ptycupy.errors import ConfigError
from ptycupy.reconstruction.residency import Room, choose

GIB = 2**30
PATTERN = 2**15


def told(tier: str = "auto", *, gib: float, device: float, host: float, shared: bool = False, **more: Any) -> Any:
    room = Room(int(device * GIB), int(host * GIB), GIB, shared)
    return choose(tier, int(gib * GIB) // PATTERN, PATTERN, 64, room, **more)


@pytest.mark.parametrize(
    ("arguments", "tier", "kept"),
    [
        ({"gib": 8, "device": 80, "host": 100}, "device", 1.0),
        ({"gib": 80, "device": 80, "host": 200}, "host", 0.79),
        ({"gib": 80, "device": 80, "host": 60}, "disk", 0.79),
        ({"gib": 80, "device": 80, "host": 60, "in_memory": True}, "host", 0.79),
        ({"gib": 8, "device": 4, "host": 4, "shared": True}, "disk", 0.3),
        ({"gib": 8, "device": 4, "host": 4, "shared": True, "in_memory": True}, "device", 1.0),
        ({"gib": 8, "device": 0.5, "host": 4}, "disk", 0.0),
        ({"gib": 300 / 2**15, "device": 0.5, "host": 4}, "device", 1.0),
        ({"gib": 8, "device": 80, "host": 100, "tier": "disk"}, "disk", 0.0),
        ({"gib": 8, "device": 80, "host": 100, "tier": "host"}, "host", 0.0),
        ({"gib": 8, "device": 80, "host": 100, "tier": "host", "shared": True}, "device", 1.0),
        ({"gib": 8, "device": 1, "host": 1, "tier": "device"}, "device", 1.0),
    ],
)
def test_the_nearest_tier_with_room_is_chosen(arguments: dict[str, Any], tier: str, kept: float) -> None:
    holding = told(**arguments)
    assert holding.tier == tier
    assert holding.kept / holding.count == pytest.approx(kept, abs=0.005)
    if tier != "device":
        assert holding.device_bytes <= max(holding.room.for_patterns, 6 * 64 * PATTERN)


def test_the_tier_is_stated_with_numbers() -> None:
    assert str(told(gib=8, device=4, host=4, shared=True)) == (
        "262144 of 32.0 KiB, 8.0 GiB, on disk; 78259 stay in memory (2.4 GiB), the others pass through "
        "6 buffers of 64, 12.0 MiB (4.0 GiB free)"
    )


def test_a_limit_of_memory_counts_what_the_process_has() -> None:
    free = Residency().host_free()
    assert Residency(memory_limit=1).host_free() == 0
    assert Residency(memory_limit=2**62).host_free() == pytest.approx(free, rel=0.1)
    with pytest.raises(ConfigError, match="residency 'tape' is unknown, it must be one of auto, device, host, disk"):
        Residency("tape")


def test_the_public_name() -> None:
    assert ptycupy.Residency is Residency
    assert partial(Residency, "disk")().tier == "disk"
