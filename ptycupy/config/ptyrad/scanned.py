"""How many positions a PtyRAD file scans."""

from __future__ import annotations

import math

from ptycupy.config.ptyrad.builder import Builder


def positions(to: Builder) -> int:
    """Positions of the raster after meas_crop."""
    return math.prod(scan_shape(to))


def scan_shape(to: Builder) -> tuple[int, int]:
    """Positions (slow, fast) of the raster after meas_crop."""
    init = to.parameters.init_params
    counts = [init.pos_N_scan_slow, init.pos_N_scan_fast]
    spans = init.meas_crop[:2] if init.meas_crop is not None else (None, None)
    slow, fast = (len(range(n)[slice(*span)]) if span else n for n, span in zip(counts, spans, strict=True))
    return slow, fast
