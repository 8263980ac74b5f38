"""The Backend protocol: one documented method per op, the same for every device.

Letters in shapes: N positions in all, n in the batch, p probe modes, o object modes, z slices, g gaps between
slices (1 where all are alike, else z - 1), t tilts (1 or n), Y X the object canvas, y x the probe window,
ky kx the detector. Zero frequency is in the corner everywhere except in the stored patterns.
The gradient of a complex array is dL/dRe + i dL/dIm. "Accumulates" means that the target is added to.
Arrays named in "overwrites" may be reused for the result: the caller must not read them afterwards.
Sources of the formulas: Lee et al., PtyRAD (2025), Eqs. 1-9, and Van den Broek and Koch, PRL 109 (2012).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = Any  # a NumPy array on the CPU backend, a device array on the CUDA backend


class Backend(Protocol):
    """Arrays and kernels of one device in one precision (`real` float32 with `complex` complex64, or doubles)."""

    name: str  # "cpu" or "cuda:0"
    real: np.dtype[Any]
    complex: np.dtype[Any]

    # --- memory -----------------------------------------------------------------------------------------------
    def asarray(self, values: Any, dtype: DTypeLike | None = None) -> Array:
        """A C-contiguous device array of these values; a NumPy array of that dtype is not copied on the CPU."""
        ...

    def to_host(self, array: Array) -> NDArray[Any]:
        """A NumPy array with these values (waits for the device)."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """A new zeroed array that its owner keeps: parameters, gradients, optimizer state."""
        ...

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Uninitialised scratch; inside `arena()` the memory is reused when the arena ends."""
        ...

    def arena(self) -> AbstractContextManager[None]:
        """While open, `empty` hands out recycled blocks; at its end all of them may be handed out again."""
        ...

    def fill(self, array: Array, value: float) -> None: ...

    def copy(self, target: Array, source: Array) -> None: ...

    def add(self, target: Array, source: Array) -> None:
        """target += source, real or complex, same shape and dtype (also float64 statistics)."""
        ...

    def free_bytes(self) -> int:
        """Memory that a reconstruction may still take."""
        ...

    def release(self) -> None:
        """Give scratch memory back: what to do before a smaller second try."""
        ...

    def synchronize(self) -> None: ...

    # --- parameters to waves ----------------------------------------------------------------------------------
    def take_forward(self, table: Array, indices: Array) -> Array:
        """rows [n, c] = table[indices] for a real table [N, c]; indices int32 [n]."""
        ...

    def take_backward(self, grad_rows: Array, indices: Array, grad_table: Array) -> None:
        """Accumulates grad_rows [n, c] into grad_table [N, c]; indices are unique within a batch."""
        ...

    def transmission_forward(self, amplitude: Array, phase: Array) -> Array:
        """transmission [o, z, Y, X] = amplitude * exp(i phase)."""
        ...

    def transmission_backward(
        self, grad: Array, amplitude: Array, phase: Array, grad_amplitude: Array | None, grad_phase: Array | None
    ) -> None:
        """Accumulates Re(conj(grad) exp(i phase)) and Im(grad conj(transmission)) into the wanted gradients."""
        ...

    def shift_forward(self, probe: Array, shifts: Array) -> tuple[Array, Any]:
        """waves [n, 1, p, y, x] = ifft2(fft2(probe [p, y, x]) exp(-2 pi i (s_y f_y + s_x f_x))), shifts [n, 2] px.

        f = fftfreq(N), the Nyquist row of an even N at -0.5. Also returns what the adjoint needs.
        """
        ...

    def shift_backward(
        self, grad_waves: Array, shifts: Array, saved: Any, grad_probe: Array | None, grad_shifts: Array | None
    ) -> None:
        """Accumulates into grad_probe [p, y, x] and grad_shifts [n, 2]; overwrites grad_waves."""
        ...

    # --- multislice -------------------------------------------------------------------------------------------
    def transmit_forward(
        self, waves: Array, transmission: Array, slice_index: int, corners: Array, indices: Array
    ) -> Array:
        """exits [n, o, p, y, x] = waves [n, o or 1, p, y, x] * transmission[o, slice, corner + (y, x)].

        corners int32 [N, 2], the window of pattern i starts at corners[indices[i]].
        """
        ...

    def transmit_backward(
        self,
        grad_exits: Array,
        waves: Array,
        transmission: Array,
        slice_index: int,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        """grad_waves = conj(T) grad_exits (summed over o where waves had one); accumulates conj(waves) grad_exits,
        summed over probe modes, into grad_transmission[o, slice] at the windows. Overwrites grad_exits."""
        ...

    def transfer_forward(
        self, tilts: Array, thickness: Array, base: Array, aperture: Array, ky: Array, kx: Array
    ) -> Array:
        """transfer [g, t, y, x] = aperture exp(i dz_g (base + ky tan(tilt_y) + kx tan(tilt_x))).

        tilts [t, 2] mrad, thickness [g] angstrom; base, aperture [y, x], ky [y], kx [x] in rad/angstrom.
        """
        ...

    def transfer_backward(
        self,
        grad: Array,
        transfer: Array,
        tilts: Array,
        thickness: Array,
        base: Array,
        ky: Array,
        kx: Array,
        grad_tilts: Array | None,
        grad_thickness: Array | None,
    ) -> None:
        """Accumulates into grad_tilts [t, 2] (per mrad) and grad_thickness [g] (per angstrom)."""
        ...

    def propagate_forward(self, waves: Array, transfer: Array, gap: int, keep: bool) -> tuple[Array, Any]:
        """ifft2(transfer[gap] * fft2(waves)) for waves [n, o, p, y, x], overwriting waves; transfer [g, t, y, x].

        With `keep`, also returns the spectrum that `propagate_backward` needs for grad_transfer (else None).
        """
        ...

    def propagate_backward(
        self, grad_waves: Array, transfer: Array, gap: int, saved: Any, grad_transfer: Array | None
    ) -> Array:
        """ifft2(conj(transfer) * fft2(grad)), overwriting grad_waves; accumulates into grad_transfer[gap]."""
        ...

    def far_field_forward(self, waves: Array) -> Array:
        """Unitary fft2 over the last two axes, overwriting waves."""
        ...

    def far_field_backward(self, grad_waves: Array) -> Array:
        """Unitary ifft2 over the last two axes, overwriting grad_waves."""
        ...

    def intensity_forward(self, waves: Array, occupancy: Array) -> Array:
        """intensity [n, y, x] = sum_o occupancy[o] sum_p |waves[n, o, p]|^2 + 1e-10."""
        ...

    def intensity_backward(self, grad_intensity: Array, waves: Array, occupancy: Array) -> Array:
        """grad_waves = 2 occupancy[o] grad_intensity waves, overwriting waves."""
        ...

    def axis_filter(self, values: Array, indices: Array, weights: Array) -> Array:
        """out[a, i, b] = sum_t weights[i, t] values[a, indices[i, t], b]: a sparse matrix along one axis.

        values [a, m, b] real; indices int32 and weights real [k, taps] (unused taps have weight 0).
        """
        ...

    def patch_forward(self, field: Array, window: tuple[int, int], corners: Array, indices: Array) -> Array:
        """patches [n, o, z, y, x] cut from a real field [o, z, Y, X]."""
        ...

    def patch_backward(self, grad_patches: Array, corners: Array, indices: Array, grad_field: Array) -> None:
        """Accumulates the patches into grad_field [o, z, Y, X]."""
        ...

    # --- losses: statistics are float64 vectors on the device that add up over sub-batches -----------------------
    def patterns(self, stored: Array, indices: Array, scale: Array, mask: Array, weights: Array) -> Array:
        """measured [n, ky, kx], zero frequency in the corner, = stored[indices] * scale[indices]; -1 marks a value
        that does not count: masked pixel, pattern of weight 0, or a stored value that is negative or not finite.

        stored [N, ky, kx] (bool, u/int8..32, float16..64), beam in the centre; scale [N];
        mask [ky, kx] (zero frequency in the corner) and weights [N] uint8.
        """
        ...

    def gaussian_statistics(self, intensity: Array, measured: Array, power: float) -> Array:
        """[sum (I^p - M^p)^2, sum M^p, count] over the counted pixels."""
        ...

    def gaussian_value(self, statistics: Array) -> Array:
        """[sqrt(mean d^2) / mean(M^p)], float64 (PtyRAD loss_single)."""
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

    # --- update -----------------------------------------------------------------------------------------------
    def adam(
        self,
        parameter: Array,
        grad: Array,
        first: Array,
        second: Array,
        learning_rate: float,
        step: int,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> None:
        """One torch.optim.Adam step in place, step counted from 1; complex arrays per real and imaginary part."""
        ...

    def clamp(self, values: Array, low: float, high: float, relax: float) -> None:
        """x = relax x + (1 - relax) min(max(x, low), high), in place; infinities allowed."""
        ...

    def relax(self, values: Array, before: Array, relax: float) -> None:
        """x = relax before + (1 - relax) x, in place; real or complex."""
        ...

    def total_power(self, waves: Array) -> Array:
        """[sum |waves|^2] float64, in a fixed order."""
        ...

    def rescale_power(self, waves: Array, power: Array, target: float) -> None:
        """waves *= sqrt(target / power[0]), in place."""
        ...

    def orthogonalise(self, probe: Array) -> None:
        """Replaces the modes [p, y, x] by orthogonal ones of the same mixed state, strongest first, in place.

        Gram matrix in double precision, Hermitian Jacobi eigenvectors V, probe' = V^H probe (Thibault 2013)."""
        ...

    def recentre(self, shifts: Array, relax: float) -> None:
        """shifts [N, 2] -= (1 - relax) mean(shifts), in place."""
        ...

    def reanchor(self, shifts: Array, corners: Array) -> Array:
        """corners += rint(shifts), shifts -= rint(shifts), in place (half to even).

        Returns int32 [min y, min x, max y, max x] of the new corners."""
        ...

    def count_nonfinite(self, values: Array) -> Array:
        """[number of values that are NaN or infinite], int32."""
        ...


__all__ = ["Array", "Backend"]
