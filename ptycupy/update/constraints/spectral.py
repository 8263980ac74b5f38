"""Constraints on the object's spatial frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.masks import Float, butterworth_disk, raster_notches, stretched_sigmoid_disk
from ptycupy.experiment.rows import RowMatrix, harmonic_matrix
from ptycupy.model.parameters import Parameters
from ptycupy.ops import AxisFilter
from ptycupy.update.constraints.fields import OnObject
from ptycupy.update.constraints.interface import Context, relaxed


def filter_laterally(backend: Backend, field: Array, mask: Array) -> None:
    """field [..., Y, X] = Re ifft2(mask fft2(field)), in place."""
    spectra = backend.far_field_forward(backend.pack(field))
    backend.spectral_filter(spectra, mask)
    backend.unpack(field, backend.far_field_backward(spectra))


def filter_planes(backend: Backend, field: Array, mask: Array, context: Context) -> None:
    """The same with every plane of the whole object."""
    context.on_planes(backend, field, lambda planes, _: filter_laterally(backend, planes, mask))


def harmonics(slices: int) -> RowMatrix:
    """Of the depth: rows of the basis."""
    return harmonic_matrix(slices)[0]


def depth_frequencies(slices: int) -> Float:
    """Theirs, in cycles per slice."""
    return harmonic_matrix(slices)[1]


@dataclass(frozen=True)
class LateralLowPass(OnObject):
    """Every slice limited to a soft disk of lateral frequencies (PtyRAD's kr_filter).

    radius: share of the Nyquist frequency; width: softness, share of the sampling frequency.
    """

    reach: ClassVar[int] = 0
    radius: float = 0.15
    width: float = 0.05
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        mask = context.table(backend, stretched_sigmoid_disk, context.whole(parameters)[1], self.radius, self.width)
        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                filter_planes(backend, field, mask, context)


@dataclass(frozen=True)
class ButterworthLowPass(OnObject):
    """Every slice limited to lateral frequencies below `radius` (share of the Nyquist frequency), 1 / 2 there.

    1 / (1 + (k / k0)^(2 order)): flat within, without the ringing of a sharp edge.
    """

    reach: ClassVar[int] = 0
    radius: float = 0.5
    order: float = 2.0
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        mask = context.table(backend, butterworth_disk, context.whole(parameters)[1], self.radius, self.order)
        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                filter_planes(backend, field, mask, context)


@dataclass(frozen=True)
class MissingWedge(OnObject):
    """Depth frequencies damped where lateral ones cannot tell them: the missing wedge (PtyRAD's kz_filter).

    The spectrum of z, y, x, periodic in all, is multiplied by (1 - 2/pi atan((beta k_z)^2 / (k^2 + 1e-3)))
    exp(-alpha k^2), in cycles per slice and per px; the amplitude then becomes 1 + 0.9 (a - 1).
    """

    reach: ClassVar[int] = 0
    beta: float = 1.0
    alpha: float = 1.0
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        basis = context.rows(backend, harmonics, parameters.slices)
        frequencies = context.table(backend, depth_frequencies, parameters.slices)

        def damp(planes: Array, which: slice) -> None:
            spectra = backend.far_field_forward(backend.pack(planes))
            backend.spectral_wedge(spectra, frequencies[which], self.alpha, self.beta)
            backend.unpack(planes, backend.far_field_backward(spectra))

        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                along_depth = AxisFilter(backend, 1, basis)
                values, _ = along_depth.forward(field)
                context.on_planes(backend, values, damp)
                (filtered,) = along_depth.backward(values, None, ())
                backend.copy(field, filtered)
                if field is parameters.object_amplitude:
                    backend.clamp(field, 1.0, 1.0, 0.9)


@dataclass(frozen=True)
class FrequencyThreshold(OnObject):
    """Only the largest share `thresh` of all cosine coefficients kept, of all slices together (PtyRAD's kr_thresh).

    The transform is an orthonormal DCT-II with its right inverse, which PtyRAD 1.0.0 does not have.
    """

    reach: ClassVar[int] = 0
    thresh: float = 0.05
    relax: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.thresh <= 1:
            raise ConfigError(f"thresh: {self.thresh} must be a share, above 0 and at most 1")

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        def forth(planes: Array, _: slice) -> None:
            backend.copy(planes, backend.cosine_forward(planes))

        def back(planes: Array, _: slice) -> None:
            backend.copy(planes, backend.cosine_backward(planes))

        size = prod((*parameters.object_phase.shape[:2], *context.whole(parameters)[1]))
        rank = max(1, round(self.thresh * size))
        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                context.on_planes(backend, field, forth)
                backend.suppress(field, context.ranked(backend, field, rank, True))
                context.on_planes(backend, field, back)


@dataclass(frozen=True)
class GridArtefactRemoval(OnObject):
    """The raster's own frequencies taken out of every slice: a regular scan leaves its grid in the object.

    Gaussian notches of `width` (standard deviation, share of the raster's frequency) at the multiples 1 / step up to
    `orders`, None for all within the Nyquist frequency. `step_px` (y, x) is for a raster along the axes; None takes
    both scan vectors from the positions. Whatever the object has at those frequencies goes too. (The artefact: Thibault
    et al., Ultramicroscopy 109 (2009) 338.)
    """

    reach: ClassVar[int] = 0
    width: float = 0.05
    orders: int | None = None
    step_px: tuple[float, float] | None = None
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        vectors = context.scan_vectors if self.step_px is None else ((self.step_px[0], 0.0), (0.0, self.step_px[1]))
        if vectors is None:
            raise ConfigError(
                "constraint grid_artefact_removal: it needs a scan_shape of at least two rows and columns, or step_px"
            )
        canvas = context.whole(parameters)[1]
        mask = context.table(backend, raster_notches, canvas, vectors, self.width, self.orders)
        for field in self.fields(parameters):
            with relaxed(backend, self.relax, field):
                filter_planes(backend, field, mask, context)
