"""Which of its ways through the slices a backend takes: composed with cuFFT, in steps, or whole waves at once."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

import numpy as np

from ptycupy.backends import composed
from ptycupy.backends.cuda import wave_steps, whole_waves
from ptycupy.backends.cuda.device import Device
from ptycupy.backends.sizes import FACTORS, has_own_transforms
from ptycupy.errors import ConfigError

FFTS = ("auto", "cufft", "own", "steps", "whole")

logger = logging.getLogger("ptycupy.backends")


def require_one_tape(fft: str, tape: str) -> None:
    """Raises ConfigError where the way through the slices does not have this tape."""
    if fft == "whole" and tape != "full":
        raise ConfigError(
            f"backend.fft {fft!r} keeps the waves between the slices in full, not with tape {tape!r}; "
            "steps, own, cufft and auto have it"
        )


class Chains:
    """The choice for one device, precision, `backend.fft` and tape, by sizes and device alone, so that runs repeat.

    "own" takes whole waves where they have room and are predicted to win, "whole" wherever they have room. What has no
    room goes in steps, as does all that a tape of halves keeps or that has a gradient of the transfer function, and
    windows without transforms of our own take cuFFT. The log says once why.
    """

    def __init__(self, device: Device, fft: str, tape: str, dtype: np.dtype[Any], deterministic: bool) -> None:
        self._device, self._fft, self._tape = device, fft, tape
        self._dtype, self._deterministic = dtype, deterministic
        self._told: set[tuple[int, int]] = set()  # windows that the log has

    def choose(self, waves: tuple[int, ...], object_modes: int, keep: bool) -> ModuleType:
        """The module whose multislice_forward and multislice_backward take waves [n, w, p, y, x]; `keep`: for the
        gradient of the transfer function too."""
        patterns, wave_modes, probe_modes, height, width = waves
        window = (height, width)
        if self._fft in ("auto", "cufft"):
            return composed
        if not has_own_transforms(window):
            self._tell("take cuFFT; own sides are %s", window, ", ".join(map(str, FACTORS)))
            return composed
        if self._fft == "steps" or self._tape != "full":
            return wave_steps
        if not whole_waves.fits(self._device, window, self._dtype):
            what = "go in steps: %d bytes of shared memory are no room for whole ones"
            self._tell(what, window, self._device.shared_memory)
            return wave_steps
        blocks = patterns * wave_modes * (1 if self._deterministic else probe_modes)
        wins = whole_waves.wins(self._device, height, patterns * object_modes * probe_modes, blocks)
        if not wins and self._fft != "whole":
            return wave_steps
        if keep:
            self._tell("go in steps while tilts or thickness are refined: whole ones keep no spectra", window)
            return wave_steps
        return whole_waves

    def _tell(self, what: str, window: tuple[int, int], *numbers: Any) -> None:
        if window not in self._told:
            self._told.add(window)
            logger.info(f"backend.fft {self._fft}: windows of %d x %d px {what}", *window, *numbers)


__all__ = ["FFTS", "Chains", "require_one_tape"]
