"""The data and the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ptycupy.backends.interface.array import Array
from ptycupy.data.counts import PackedPatterns


class Losses(Protocol):
    """Statistics are float64 vectors on the device that add up over sub-batches."""

    def patterns(
        self,
        stored: Array,
        indices: Array,
        scale: Array,
        mask: Array,
        weights: Array,
        background: Array | None = None,
        slots: Array | None = None,
    ) -> Array:
        """measured [n, Y, X], zero frequency in the corner, = stored[indices] * scale[indices] in the middle, and the
        background around it; -1 marks a value that does not count: masked pixel, pattern of weight 0, or a stored
        value that is negative or not finite.

        stored [N, ky, kx] (bool, u/int8..32, float16..64), beam in the centre; scale [N]; weights [N] uint8;
        mask uint8 and background [Y, X], zero frequency in the corner; None where Y X is ky kx. With slots [N] int32,
        pattern i is stored[slots[i]], and stored has as many as there is room for.
        """
        ...

    def packed_patterns(
        self,
        stored: PackedPatterns,
        indices: Array,
        scale: Array,
        mask: Array,
        weights: Array,
        background: Array | None = None,
    ) -> Array:
        """What `patterns` gives for the counts that are packed, bit by bit; the arrays of `stored` are the device's."""
        ...

    def set_slots(self, slots: Array, indices: Array, first: int) -> None:
        """slots[indices[i]] = first + i, int32; no index twice."""
        ...

    def counted_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        """axis_filter of measured values [a, length, inner]: -1 where one with a weight is negative (not counted)."""
        ...

    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        """[sum (I^p - M^p)^2, sum M^p, count] over the counted pixels."""
        ...

    def gaussian_value(self, statistics: Array) -> Array:
        """[sqrt(mean d^2) / mean(M^p)], float64 (PtyRAD loss_single)."""
        ...

    def gaussian_scale(self, statistics: Array) -> Array:
        """[c] float64 with gaussian_gradient(statistics) = c gaussian_gradient([1, 1, 1]): known last, applied last."""
        ...

    def gaussian_gradient(
        self, intensity: Array, measured: Array, power: float, statistics: Array, factor: float
    ) -> Array:
        """factor * dL/dI [n, ky, kx], zero where not counted and where the loss is 0."""
        ...

    def poisson_statistics(self, intensity: Array, measured: Array, power: float, eps: float) -> Array:
        """[sum (M^p ln(I^p + eps) - I^p), sum M^p, count]."""
        ...

    def poisson_value(self, statistics: Array) -> Array:
        """[-mean(M^p ln(I^p + eps) - I^p) / mean(M^p)]."""
        ...

    def poisson_scale(self, statistics: Array) -> Array:
        """[c] float64 with poisson_gradient(statistics) = c poisson_gradient([1, 1, 1])."""
        ...

    def poisson_gradient(
        self, intensity: Array, measured: Array, power: float, eps: float, statistics: Array, factor: float
    ) -> Array: ...

    def pacbed_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        """float64 [3 K + 2], K = ky kx: sums of I, sums of M and counts per pixel, then sum M^p and count."""
        ...

    def pacbed_value(self, statistics: Array, power: float) -> Array:
        """[sqrt(mean_k (Ibar^p - Mbar^p)^2) / mean(M^p)] over the pixels that were counted at all."""
        ...

    def pacbed_gradient(
        self, measured: Array, power: float, statistics: Array, value: Array, factor: float
    ) -> Array: ...

    def coverage(self, canvas: tuple[int, int], window: tuple[int, int], corners: Array, indices: Array) -> Array:
        """int32 [Y, X]: how many windows of the batch cover each pixel."""
        ...

    def sparsity_statistics(self, phase: Array, coverage: Array, order: int) -> Array:
        """[o] sums of coverage |phase|^order over z, Y, X."""
        ...

    def sparsity_value(self, statistics: Array, occupancy: Array, count: int, order: int) -> Array:
        """[sum_o occupancy[o] (S_o / count)^(1/order)], count = n z y x of the whole batch."""
        ...

    def sparsity_gradient(
        self,
        phase: Array,
        coverage: Array,
        order: int,
        statistics: Array,
        occupancy: Array,
        count: int,
        factor: float,
        grad_phase: Array,
    ) -> None:
        """Accumulates factor * dL/dphase [o, z, Y, X]; zero at phase 0."""
        ...

    def similarity_statistics(self, patches: Array, occupancy: Array) -> Array:
        """[sum over n, z, y, x of the unbiased standard deviation over o of occupancy[o] patches[n, o, z, y, x]]."""
        ...

    def similarity_value(self, statistics: Array, count: int) -> Array:
        """[statistics / count], float64."""
        ...

    def similarity_gradient(self, patches: Array, occupancy: Array, factor: float) -> Array:
        """factor * d(that sum)/dpatches; zero where the deviation is 0."""
        ...


@dataclass(frozen=True)
class Likelihood:
    """One of the losses that are a scale times a sum over pixels, the scale a function of the batch's statistics."""

    kind: Literal["gaussian", "poisson"]
    power: float
    eps: float = 0.0  # of the Poisson likelihood

    def statistics(self, losses: Losses, intensity: Array, measured: Array) -> Array:
        """[3] float64 on the device."""
        if self.kind == "gaussian":
            return losses.gaussian_statistics(intensity, measured, self.power)
        return losses.poisson_statistics(intensity, measured, self.power, self.eps)

    def scale(self, losses: Losses, statistics: Array) -> Array:
        """[1] float64 with gradient(statistics) = scale gradient([1, 1, 1])."""
        return losses.gaussian_scale(statistics) if self.kind == "gaussian" else losses.poisson_scale(statistics)

    def value(self, losses: Losses, statistics: Array) -> Array:
        """[1] float64: the loss."""
        return losses.gaussian_value(statistics) if self.kind == "gaussian" else losses.poisson_value(statistics)

    def gradient(self, losses: Losses, intensity: Array, measured: Array, statistics: Array, factor: float) -> Array:
        """factor * dL/dI [n, ky, kx]."""
        if self.kind == "gaussian":
            return losses.gaussian_gradient(intensity, measured, self.power, statistics, factor)
        return losses.poisson_gradient(intensity, measured, self.power, self.eps, statistics, factor)


@dataclass(frozen=True)
class StoredPatterns:
    """Measured patterns [n, Y, X] of a batch as they are stored: what `Losses.patterns` or `packed_patterns` takes."""

    stored: Array | PackedPatterns
    indices: Array
    scale: Array
    mask: Array
    weights: Array
    background: Array | None = None
    slots: Array | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        return (int(self.indices.size), int(self.mask.shape[0]), int(self.mask.shape[1]))

    def decoded(self, losses: Losses) -> Array:
        """[n, Y, X], -1 where not counted."""
        how = self.scale, self.mask, self.weights, self.background
        if isinstance(self.stored, PackedPatterns):
            return losses.packed_patterns(self.stored, self.indices, *how)
        return losses.patterns(self.stored, self.indices, *how, self.slots)


Measured = Array | StoredPatterns


def decoded(losses: Losses, measured: Measured) -> Array:
    """Measured values [n, Y, X] of either."""
    return measured.decoded(losses) if isinstance(measured, StoredPatterns) else measured
