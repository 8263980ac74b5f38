"""Constraints on the probe: masks in both spaces, orthogonal modes and a fixed total intensity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ptycupy.backends.interface import Array, Backend
from ptycupy.errors import ConfigError
from ptycupy.experiment.masks import sigmoid_disk, soft_disk, super_gaussian
from ptycupy.model.parameters import Parameters
from ptycupy.update.constraints.free_space import FreeSpace
from ptycupy.update.constraints.interface import Context, relaxed


def powers(backend: Backend, probe: Array) -> list[float]:
    """Intensity of each mode of a probe [p, y, x]."""
    with backend.arena():
        return [float(sums[0]) for sums in backend.to_host(backend.wave_moments(probe))]


def strong_modes(backend: Backend, probe: Array, share: float) -> Array:
    """The first modes [k, y, x], in the order in which they are, that together hold more than `share` of the power."""
    cumulative = np.cumsum(powers(backend, probe))
    count = int(np.searchsorted(cumulative, share * cumulative[-1], side="right")) + 1
    return probe[: min(count, len(cumulative))]


def sort_modes(backend: Backend, probe: Array) -> None:
    """Strongest mode first, in place."""
    order = np.argsort([-power for power in powers(backend, probe)], kind="stable")
    if (order == np.arange(len(order))).all():
        return
    with backend.arena():
        sorted_ = backend.empty(probe.shape, probe.dtype)
        for target, source in enumerate(order):
            backend.copy(sorted_[target], probe[int(source)])
        backend.copy(probe, sorted_)


@dataclass(frozen=True)
class ProbeFourierMask:
    """The probe's strong modes limited to a soft disk in Fourier space, then sorted (PtyRAD's probe_mask_k).

    radius: share of the Nyquist frequency; width: softness, share of the sampling frequency; power_thresh: share of
    the power that the masked modes hold. The power lost is not made up for: add fixed_probe_intensity.
    """

    changes: ClassVar[tuple[str, ...]] = ("probe",)

    radius: float = 0.22
    width: float = 0.05
    power_thresh: float = 0.95
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        if self.relax == 1:  # not even sorted
            return
        strong = strong_modes(backend, parameters.probe, self.power_thresh)
        mask = context.table(backend, sigmoid_disk, parameters.window, self.radius, self.width)
        with relaxed(backend, self.relax, strong):
            backend.far_field_forward(strong)
            backend.spectral_filter(strong, mask)
            backend.far_field_backward(strong)
        sort_modes(backend, parameters.probe)


@dataclass(frozen=True)
class ProbeRealMask:
    """The probe's strong modes limited to a soft disk where the probe is sharpest (PtyRAD's probe_mask_r).

    The plane within z_range (angstrom) that maximises sum |P|^4 of the strongest mode is found in z_steps; there the
    modes are multiplied by exp(-1/2 (R / radius)^(2 order)), R = 1 at the edge of the window, and brought back.
    """

    changes: ClassVar[tuple[str, ...]] = ("probe",)

    radius: float = 0.95
    order: float = 6
    power_thresh: float = 0.95
    z_range: tuple[float, float] = (-500.0, 500.0)
    z_steps: int = 101
    relax: float = 0.0

    def __post_init__(self) -> None:
        if not self.z_range[0] <= self.z_range[1]:
            raise ConfigError(f"z_range: {self.z_range} must be (low, high) in angstrom")

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        if self.relax == 1:
            return
        probe = parameters.probe
        sort_modes(backend, probe)
        space = FreeSpace.of("probe_real_mask", backend, parameters.window, context)
        distance = self._sharpest(backend, probe[:1], space)
        strong = strong_modes(backend, probe, self.power_thresh)
        mask = context.table(backend, super_gaussian, parameters.window, self.radius, self.order)
        with relaxed(backend, self.relax, strong):
            space.propagate(strong, distance)
            backend.spectral_filter(strong, mask)
            space.propagate(strong, -distance)
        sort_modes(backend, probe)

    def _sharpest(self, backend: Backend, strongest: Array, space: FreeSpace) -> float:
        planes = np.linspace(*self.z_range, self.z_steps)
        sharpness = []
        for distance in planes:
            with backend.arena():
                wave = backend.empty(strongest.shape, strongest.dtype)
                backend.copy(wave, strongest)
                space.propagate(wave, float(distance))
                sharpness.append(float(backend.to_host(backend.wave_moments(wave))[0, 3]))
        return float(planes[int(np.argmax(sharpness))])


@dataclass(frozen=True)
class ProbeSupport:
    """All modes limited to a disk about the middle of the window, with a soft edge.

    radius: share of half the window; radius_angstrom, where given, stands instead of it. Beyond it the probe falls to
    0 over `width` times the radius, as a cosine.
    """

    changes: ClassVar[tuple[str, ...]] = ("probe",)
    recordable: ClassVar[bool] = True

    radius: float = 0.8
    radius_angstrom: float | None = None
    width: float = 0.1
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        window = parameters.window
        radius = (self.radius * window[0] / 2, self.radius * window[1] / 2)
        if self.radius_angstrom is not None:
            if context.pixel_size is None:
                raise ConfigError("constraint probe_support: radius_angstrom needs pixel_size; give radius instead")
            radius = (self.radius_angstrom / context.pixel_size[0], self.radius_angstrom / context.pixel_size[1])
        mask = context.table(backend, soft_disk, window, radius, self.width)
        with relaxed(backend, self.relax, parameters.probe):
            backend.spectral_filter(parameters.probe, mask)


@dataclass(frozen=True)
class OrthogonalProbe:
    """Orthogonal modes of the same mixed state, strongest first (PtyRAD's ortho_pmode; Thibault 2013)."""

    changes: ClassVar[tuple[str, ...]] = ("probe",)
    recordable: ClassVar[bool] = True

    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        if parameters.probe.shape[0] > 1:
            with relaxed(backend, self.relax, parameters.probe):
                backend.orthogonalise(parameters.probe)


@dataclass(frozen=True)
class FixedProbeIntensity:
    """Sum |probe|^2 over all modes brought back to `target` (PtyRAD's fix_probe_int); None = as at the start."""

    changes: ClassVar[tuple[str, ...]] = ("probe",)
    recordable: ClassVar[bool] = True

    target: float | None = None
    relax: float = 0.0

    def __call__(self, backend: Backend, parameters: Parameters, context: Context) -> None:
        target = context.probe_intensity if self.target is None else self.target
        with relaxed(backend, self.relax, parameters.probe):
            backend.rescale_power(parameters.probe, backend.total_power(parameters.probe), target)
