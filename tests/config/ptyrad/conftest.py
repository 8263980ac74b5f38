"""A parameter file of PtyRAD that is right, and what becomes of variations of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ptycupy.config import Loaded, read_dict

RIGHT: dict[str, Any] = {
    "init_params": {
        "probe_kv": 80,
        "probe_conv_angle": 24.9,
        "meas_Npix": 128,
        "pos_N_scan_slow": 24,
        "pos_N_scan_fast": 16,
        "pos_scan_step_size": 0.4,
        "obj_Nlayer": 6,
        "obj_slice_thickness": 2,
        "meas_params": {"path": "x.h5", "key": "dp"},
    }
}


@pytest.fixture
def translated() -> Callable[..., Loaded]:
    """The right parameters with some keys changed, `{"init_params.probe_kv": 300}`, as what they mean here."""

    def load(changes: dict[str, Any] | None = None, **options: Any) -> Loaded:
        values = copy.deepcopy(RIGHT)
        for path, value in (changes or {}).items():
            *sections, key = path.split(".")
            there = values
            for section in sections:
                there = there.setdefault(section, {})
            there[key] = value
        return read_dict(values, allow_unsupported=True, **options)

    return load
