"""What the protocol calls an array."""

from __future__ import annotations

from typing import Any

Array = Any  # a NumPy array on the CPU backend, a device array on the CUDA backend
