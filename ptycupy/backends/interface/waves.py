"""From parameters to the intensities on the detector."""

from __future__ import annotations

from typing import Any, Protocol

from ptycupy.backends.interface.array import Array


class Waves(Protocol):
    """Ops of the forward model, each beside its adjoint."""

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

    def multislice_forward(
        self, waves: Array, transmission: Array, transfer: Array, corners: Array, indices: Array, keep: bool
    ) -> tuple[Array, Any]:
        """exits [n, o, p, y, x] behind the last slice, of waves [n, o or 1, p, y, x] before the first one.

        `transmit_forward` by every slice of transmission [o, z, Y, X], and between them `propagate_forward` by
        transfer [1 or z - 1, 1 or n, y, x]. Also returns what the adjoint needs, with `keep` for grad_transfer
        too; waves must stay as they are till then.
        """
        ...

    def multislice_backward(
        self,
        grad_exits: Array,
        saved: Any,
        transmission: Array,
        transfer: Array,
        corners: Array,
        indices: Array,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
        needs_waves: bool,
    ) -> Array | None:
        """The gradient of the waves; accumulates into grad_transmission [o, z, Y, X] and grad_transfer, the shape of
        transfer. Overwrites grad_exits."""
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

    def diffraction_forward(
        self,
        probe: Array,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        keep: bool,
    ) -> tuple[Array, Any]:
        """intensity [n, y, x] of the probe [p, y, x] shifted by shifts [n, 2] px, behind transmission [o, z, Y, X].

        `shift_forward`, `multislice_forward` with transfer [1 or z - 1, 1 or n, y, x] (None for one slice),
        `far_field_forward` and `intensity_forward`, one after the other. Also returns what the adjoint needs, with
        `keep` for grad_transfer too.
        """
        ...

    def diffraction_backward(
        self,
        grad_intensity: Array,
        saved: Any,
        shifts: Array,
        transmission: Array,
        transfer: Array | None,
        corners: Array,
        indices: Array,
        occupancy: Array,
        grad_probe: Array | None,
        grad_shifts: Array | None,
        grad_transmission: Array | None,
        grad_transfer: Array | None,
    ) -> None:
        """Accumulates into the gradients that are wanted; overwrites what was saved."""
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
