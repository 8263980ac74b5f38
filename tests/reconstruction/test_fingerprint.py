"""The fingerprint that ties a checkpoint to its data."""

from __future__ import annotations

import numpy as np

from ptycupy.data.source import ArraySource
from ptycupy.reconstruction.fingerprint import data_fingerprint


def test_fingerprint_tells_data_sets_apart() -> None:
    values = np.random.default_rng(0).integers(0, 9, (40, 5, 4)).astype(np.uint16)
    mark = data_fingerprint(values)
    assert mark == data_fingerprint(ArraySource(values))
    assert mark == data_fingerprint(values.astype(">u2"))
    changed = values.copy()
    changed[0, 3, 3] += 1
    others = [changed, values.astype(np.uint32), values[:-1], values.swapaxes(1, 2)]
    assert len({mark, *map(data_fingerprint, others)}) == 5
