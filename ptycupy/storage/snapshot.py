"""Snapshot: everything that a reconstruction needs to be looked at, or to go on as if it had never stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.experiment.scan import affine_displacements
from ptycupy.experiment.state import State


@dataclass
class History:
    """One entry per finished iteration, in order."""

    iterations: list[int] = field(default_factory=list)  # numbered from 1, never restarting on resume
    losses: dict[str, list[float]] = field(default_factory=dict)  # per loss term, weights included; NaN where off
    total: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # batches and constraints, device synchronised
    learning_rates: dict[str, list[float]] = field(default_factory=dict)  # per State field
    slice_thickness: list[float] = field(default_factory=list)  # mean, angstrom
    mean_tilt: list[tuple[float, float]] = field(default_factory=list)  # mrad (y, x)
    patterns: list[int] = field(default_factory=list)  # that took part; empty in files from before this was kept

    def add_losses(self, terms: Mapping[str, float]) -> None:
        """The terms of the newest of `iterations`; NaN where one is off, as a resumed run may have others."""
        absent = [math.nan] * (len(self.iterations) - 1)
        for name in {**self.losses, **terms}:
            self.losses.setdefault(name, list(absent)).append(terms.get(name, math.nan))


@dataclass(frozen=True)
class Moments:
    """An optimizer's memory of one parameter."""

    arrays: dict[str, NDArray[Any]]
    scalars: dict[str, float]
    step: int


@dataclass(frozen=True)
class Change:
    """A key of the configuration that was changed while the run was under way; values as JSON."""

    iteration: int  # the last one before the change
    key: str  # as `--set` writes it
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key}: {self.before} -> {self.after} after iteration {self.iteration}"


@dataclass(frozen=True)
class Snapshot:
    """A reconstruction at the end of an iteration; all arrays are NumPy."""

    state: State
    corners: NDArray[Any]  # (N, 2) int32 px
    pixel_size: tuple[float, float] | None  # angstrom (y, x)
    wavelength: float | None  # angstrom
    object_occupancy: NDArray[Any]  # (omode,)
    detector_shape: tuple[int, int]  # (ky, kx)
    scan_shape: tuple[int, int] | None
    detector_blur: float
    propagator: str
    used: NDArray[Any]  # indices of the positions that were reconstructed
    initial_positions: NDArray[Any]  # (N, 2) px, corner + shift before the first iteration
    probe_intensity: float  # the target of fixed_probe_intensity
    iteration: int
    history: History
    moments: dict[str, Moments]  # by State field
    learning_rate_factor: float  # 1 unless a divergence halved it
    pending: tuple[NDArray[Any], ...]  # batches that an interrupted iteration had still to do; () between iterations
    batch_losses: NDArray[Any]  # (batches done in that iteration, 1 + terms): patterns, unweighted loss per term
    generator: str  # JSON of the batch generator's state
    data_fingerprint: str  # hash of shape, dtype and a fixed sample of patterns
    config: str  # YAML, "" when the engine was called from Python
    versions: dict[str, str]
    nominal_positions: NDArray[Any] | None = None  # (N, 2) px about their mean, where scan_affine distorts them
    changes: tuple[Change, ...] = ()  # to `config` in the course of the run, in order

    def __repr__(self) -> str:  # without the arrays, for consoles
        shapes = {"object": np.shape(self.state.object_phase), "probe": np.shape(self.state.probe)}
        arrays = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in shapes.items())
        return f"<Snapshot of {self.course}: {arrays}, {len(self.used)} patterns>"

    @property
    def course(self) -> str:
        """How far it has come, in words."""
        total = self.history.total
        return f"{self.iteration} iterations{f', loss {total[-1]:.5g}' if total else ''}"

    @property
    def shifts(self) -> NDArray[Any]:
        """Where each probe is, in px (y, x) from its corner: the State's shifts, and what scan_affine adds to them."""
        shifts: NDArray[Any] = np.asarray(self.state.shifts)
        if self.nominal_positions is None:
            return shifts
        moved = affine_displacements(self.nominal_positions, self.state.scan_affine)
        return (shifts + moved).astype(shifts.dtype)

    def field_of_view(self) -> tuple[slice, slice]:
        """Rows and columns of the object canvas between the outermost window centres of the used positions."""
        return scanned_field(self.corners[self.used], self.state.probe.shape[-2:])


def scanned_field(corners: NDArray[Any], window: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns between the outermost centres of windows with these corners (N, 2) px."""
    centres = corners + np.asarray(window) // 2
    (top, left), (bottom, right) = centres.min(axis=0), centres.max(axis=0)
    return slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)
