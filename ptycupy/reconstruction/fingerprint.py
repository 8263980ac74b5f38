"""A fingerprint of the measured patterns, so that a checkpoint is never continued with other data."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ptycupy.data.held import stored_type
from ptycupy.model.storage import as_source

SAMPLE = 16


def data_fingerprint(patterns: Any) -> str:
    """Hash of shape, dtype and 16 patterns spread over the scan, of anything that a Problem may have."""
    source = as_source(patterns)
    count = source.shape[0]
    indices = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(np.int64))
    sample = source.read(indices)
    values = np.ascontiguousarray(sample, stored_type(sample.dtype))
    digest = hashlib.sha256(f"{tuple(source.shape)} {values.dtype}".encode())
    digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()[:32]
