"""A fingerprint of the measured patterns, so that a checkpoint is never continued with other data."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

SAMPLE = 16


def data_fingerprint(patterns: Any) -> str:
    """Hash of shape, dtype and 16 patterns spread over the scan, of an array [N, ky, kx] or a PatternSource."""
    count = patterns.shape[0]
    indices = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(np.int64)) if count else np.zeros(0, int)
    read = getattr(patterns, "read", None)
    sample = read(indices) if read is not None else patterns[indices]
    host = getattr(sample, "get", None)  # a device array brings its values to the host itself
    values = np.ascontiguousarray(host() if host is not None else sample)
    digest = hashlib.sha256(f"{tuple(patterns.shape)} {values.dtype.newbyteorder('=')}".encode())
    digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()[:32]
