"""The protocol's constraining in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.memory import Memory


def ramp(shape: tuple[int, ...], slope: tuple[float, float], centre: tuple[float, float]) -> Array:
    y, x = (s * (np.arange(n) - c) for s, n, c in zip(slope, shape[-2:], centre, strict=True))
    return y[:, None] + x


class Constraining(Memory):
    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        values[...] = relax * values + (1 - relax) * np.clip(values, low, high)

    def relax(self, values: Array, before: Array, relax: float) -> None:
        values[...] = relax * before + (1 - relax) * values

    def scale(self, values: Array, factor: float) -> None:
        values *= factor

    def subtract_ramp(
        self, values: Array, offset: float, slope: tuple[float, float], centre: tuple[float, float]
    ) -> None:
        values -= offset + ramp(values.shape, slope, centre)

    def modulate(self, waves: Array, slope: tuple[float, float], centre: tuple[float, float]) -> None:
        waves *= np.exp(1j * ramp(waves.shape, slope, centre))

    def apply_ratio(
        self,
        new_amplitude: Array | None,
        new_phase: Array | None,
        amplitude: Array,
        phase: Array,
        sums: Array,
        alpha1: float,
        alpha2: float,
    ) -> None:
        ratio, absorption, angle = sums[0] / (sums[1] + 1e-8), np.log(np.maximum(amplitude, 1e-8)), phase.copy()
        if new_amplitude is not None:
            new_amplitude[...] = np.exp((1 - alpha1) * absorption - alpha1 * ratio * angle)
        if new_phase is not None:
            new_phase[...] = (1 - alpha2) * angle - alpha2 * absorption / (ratio + 1e-8)

    def mirror(self, amplitude: Array, phase: Array, scale: float, power: float, relax: float) -> None:
        amplitude[...] = relax * amplitude + (1 - relax) * (1 - scale * np.maximum(phase, 0) ** power)

    def total_power(self, waves: Array) -> Array:
        return np.array([(np.abs(waves.astype(np.complex128)) ** 2).sum()])

    def rescale_power(self, waves: Array, power: Array, target: float) -> None:
        waves *= np.sqrt(target / power[0])

    def orthogonalise(self, probe: Array) -> None:
        modes = probe.reshape(len(probe), -1).astype(np.complex128)
        _, vectors = np.linalg.eigh(modes @ modes.conj().T)
        probe[...] = (vectors[:, ::-1].conj().T @ modes).reshape(probe.shape)

    def recentre(self, shifts: Array, relax: float) -> None:
        shifts -= (1 - relax) * shifts.mean(0)

    def reanchor(self, shifts: Array, corners: Array) -> Array:
        whole = np.rint(shifts)
        shifts -= whole
        corners += whole.astype(corners.dtype)
        return np.concatenate([corners.min(0), corners.max(0)]).astype(np.int32)

    def count_nonfinite(self, values: Array) -> Array:
        return np.array([np.count_nonzero(~np.isfinite(values))], np.int32)
