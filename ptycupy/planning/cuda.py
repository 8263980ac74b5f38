"""The backend that counts as CUDA works."""

from __future__ import annotations

from typing import Any, cast

from ptycupy.backends.cuda.arena import Arena
from ptycupy.backends.cuda.chains import Chains, require_one_tape
from ptycupy.backends.cuda.fitting import Fitting
from ptycupy.backends.cuda.scattering import Scattering
from ptycupy.backends.cuda.transforms import LARGEST_PLAN
from ptycupy.backends.interface import Array
from ptycupy.planning.chip import USUAL, Chip
from ptycupy.planning.counting import Counting
from ptycupy.planning.kernels import Launches
from ptycupy.planning.memory import USUALLY, How, op


class CountingCuda(Launches, Counting):
    """As the CUDA backend works, whose own code chooses the way through the slices and queues its kernels: with cuFFT
    kernels between transforms, and a transform is two kernels of its own, along rows and along columns, so that it
    reads and writes a stack twice; or with transforms of our own, whose launches `Launches` counts."""

    kind = "cuda"
    transform_passes = 4

    def __init__(self, how: How = USUALLY, chip: Chip = USUAL) -> None:
        require_one_tape(how.fft, how.tape)
        super().__init__(how)
        self._device = chip
        self._chains = _Chains(cast(Any, chip), how.fft, how.tape, self.complex, how.deterministic)
        self._fft = _Transforms(self)

    def _make_arena(self) -> Any:
        return _DeviceArena(cast(Any, self))

    @property
    def way(self) -> str:
        if "multislice_forward" in self.launched:
            return "own transforms, whole waves"
        return "own transforms, in steps" if "transmit_rows_forward" in self.launched else "cuFFT"

    def fresh(self) -> CountingCuda:
        """Another one of the same kind, that has counted nothing."""
        return CountingCuda(self.how, self._device)

    def _transform(self, waves: Array) -> None:
        super()._transform(waves)
        height, width = waves.shape[-2:]
        batch = min(waves.size, LARGEST_PLAN) // max(height * width, 1)
        # cuFFT's work area is about as large as the stack; plans are kept.
        self.plans[(height, width), batch] = batch * height * width * self.complex.itemsize

    multislice_forward = op(Scattering.multislice_forward)
    multislice_backward = op(Scattering.multislice_backward)
    diffraction_forward = op(Scattering.diffraction_forward)
    diffraction_backward = op(Scattering.diffraction_backward)
    misfit_forward = op(Fitting.misfit_forward)
    misfit_backward = op(Fitting.misfit_backward)
    _beam, _beam_backward, _residual = Scattering._beam, Scattering._beam_backward, Fitting._residual

    def _intensity_backward(
        self, grad_intensity: Array, waves: Array, occupancy: Array, deferred: Array, factor: float
    ) -> Array:
        return self.intensity_backward(grad_intensity, waves, occupancy)

    def _scatter(self, windows: int, flops: float) -> None:
        super()._scatter(windows, flops)
        if self.deterministic:  # written, then gathered in order
            patches = self.empty((windows,), "uint8")
            self._traffic((patches,), (patches,), launches=1)

    def _gather(self, target: Array, patches: Array, *_: Any) -> None:
        self._traffic((patches, target), (target,), self._reals(patches))

    def _gather_slice(self, target: Array, patches: Array, slice_index: int, corners: Array, indices: Array) -> None:
        part = target[:, slice_index]
        self._traffic((patches, part), (part,), self._reals(patches))


class _Chains(Chains):
    """The backend's own choice, without a word: the log has it from the backend."""

    def _tell(self, what: str, window: tuple[int, int], *numbers: Any) -> None:
        return


class _Transforms:
    """What the code of the CUDA backend asks of cuFFT's plans."""

    def __init__(self, backend: CountingCuda) -> None:
        self.forward = self.inverse = backend._transform


class _DeviceArena(Arena):
    """The CUDA backend's own, on memory that is only counted."""

    def __init__(self, device: Any) -> None:
        super().__init__(device)
        self._made: list[int] = []

    def bytes(self) -> int:
        return sum(self._made)

    def _block(self, nbytes: int) -> tuple[int, int, Array]:
        known = self._serial
        block = super()._block(nbytes)
        if self._serial > known:
            self._made.append(nbytes)
        return block

    def clear(self) -> None:
        super().clear()
        self._made.clear()


__all__ = ["CountingCuda"]
