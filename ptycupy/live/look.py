"""One look at a run: its pictures and curves, made when a browser asks for them."""

from __future__ import annotations

import json
import re
import threading
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.spaced import evenly_spaced
from ptycupy.outputs.canvas import robust_limits
from ptycupy.outputs.chart_figures import window_centres
from ptycupy.outputs.object_figures import log_spectrum, phase_stack
from ptycupy.outputs.probe_figures import colour_wave, lit_middle, mode_powers
from ptycupy.outputs.region import steps
from ptycupy.outputs.web_images import colour_png, grey_png, heat_png
from ptycupy.storage.snapshot import Snapshot

MOST_POSITIONS = 2000
MOST_POINTS = 600  # of a curve
NAMES = re.compile(r"(phase|fft|slice|mode)(?:-(\d{1,4}))?")


class Look:
    """A snapshot as the page shows it; every picture is made once, in the thread that asks first."""

    def __init__(self, snapshot: Snapshot, number: int) -> None:
        self.snapshot = snapshot
        self.number = number  # of looks in this run, so that browsers know an old picture
        self._lock = threading.Lock()
        self._pictures: dict[str, bytes] = {}
        self._facts: dict[str, Any] | None = None

    def picture(self, name: str) -> bytes | None:
        """The PNG `phase`, `fft`, `slice-K` or `mode-K`, K from 1; None where there is none of that name."""
        with self._lock:
            if name not in self._pictures:
                made = self._draw(name)
                if made is None:
                    return None
                self._pictures[name] = made
            return self._pictures[name]

    def facts(self) -> dict[str, Any]:
        """What belongs to the pictures, and the curves."""
        with self._lock:
            if self._facts is None:
                self._facts = self._gathered()
            return self._facts

    @property
    def sound(self) -> bool:
        """Whether all numbers are finite, as those of a run that diverges are not: JSON has no others."""
        try:
            json.dumps(self.facts(), allow_nan=False)
        except ValueError:
            return False
        return True

    # --- pieces -----------------------------------------------------------------------------------------------
    @cached_property
    def _stack(self) -> NDArray[Any]:
        return phase_stack(self.snapshot)

    @cached_property
    def _sum(self) -> NDArray[Any]:
        return np.asarray(self._stack.sum(axis=0))

    @cached_property
    def _middle(self) -> tuple[slice, slice]:
        return lit_middle(self.snapshot.state.probe)

    def _draw(self, name: str) -> bytes | None:
        match = NAMES.fullmatch(name)
        if match is None:
            return None
        kind, index = match[1], None if match[2] is None else int(match[2]) - 1
        if index is None:
            if kind == "phase":
                return grey_png(self._sum, robust_limits(self._sum))
            return heat_png(*log_spectrum(self._sum)) if kind == "fft" else None
        if kind == "slice" and 0 <= index < len(self._stack):
            return grey_png(self._stack[index], robust_limits(self._stack))
        if kind == "mode" and 0 <= index < len(self.snapshot.state.probe):
            return colour_png(colour_wave(self.snapshot.state.probe[index][self._middle]))
        return None

    def _gathered(self) -> dict[str, Any]:
        snapshot = self.snapshot
        step, unit = steps(snapshot)
        rows, columns = self._sum.shape
        return {
            "number": self.number,
            "iteration": snapshot.iteration,
            "unit": unit,
            "size": [rows * step[0], columns * step[1]],
            "window": [(part.stop - part.start) * s for part, s in zip(self._middle, step, strict=True)],
            "edge": [0.5 / step[0], 0.5 / step[1]],
            "phase_limits": robust_limits(self._sum),
            "slice_limits": robust_limits(self._stack),
            "slices": len(self._stack),
            "powers": mode_powers(snapshot).tolist(),
            "positions": self._positions(),
            "curves": self._curves(),
        }

    def _positions(self) -> dict[str, Any]:
        start, now, unit = window_centres(self.snapshot)
        chosen = evenly_spaced(len(start), MOST_POSITIONS)
        moved = np.hypot(*(now - start).T)
        rms, most = float(np.sqrt(np.mean(moved**2))), float(moved.max())
        rounded = {"start": start[chosen].round(4).tolist(), "now": now[chosen].round(4).tolist()}
        return {**rounded, "rms": rms, "most": most, "count": len(start), "unit": unit}

    def _curves(self) -> dict[str, Any]:
        history = self.snapshot.history
        count = len(history.iterations)
        chosen = evenly_spaced(count, MOST_POINTS).tolist()

        def some(values: list[float]) -> list[float | None]:
            return [values[i] if np.isfinite(values[i]) else None for i in chosen]  # JSON has no NaN

        rates = {name: some(values) for name, values in history.learning_rates.items() if max(values, default=0) > 0}
        return {
            "iterations": [history.iterations[i] for i in chosen],
            "losses": {"total": some(history.total), **{n: some(v) for n, v in history.losses.items()}},
            "rates": rates,
        }
