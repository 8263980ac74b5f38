"""The protocol's constraining in complex128 NumPy."""

from __future__ import annotations

import numpy as np

from ptycupy.backends.interface import Array
from reference.memory import Memory


class Constraining(Memory):
    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        values[...] = relax * values + (1 - relax) * np.clip(values, low, high)

    def relax(self, values: Array, before: Array, relax: float) -> None:
        values[...] = relax * before + (1 - relax) * values

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
