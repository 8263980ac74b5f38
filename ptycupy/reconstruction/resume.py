"""From a running engine to a Snapshot and back, so that a resumed run is the run that never stopped."""

from __future__ import annotations

import copy
import json
import platform
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ptycupy.backends.cache import package_version
from ptycupy.backends.interface import Backend
from ptycupy.model.parameters import Parameters, owned, upload
from ptycupy.reconstruction.teamwork import gather_moments, tiled
from ptycupy.reconstruction.tiling import cut_snapshot, lay_out_again, whole
from ptycupy.storage.snapshot import Moments as SavedMoments
from ptycupy.storage.snapshot import Snapshot
from ptycupy.update.optimizers import Moments

if TYPE_CHECKING:
    from ptycupy.reconstruction.engine import Engine

PACKAGES = ("ptycupy", "numpy", "numba", "scipy", "h5py", "cupy-cuda12x", "cupy-cuda13x")


def take_snapshot(engine: Engine, config: str = "", *, to_resume: bool = True) -> Snapshot:
    """Everything the engine knows, as NumPy arrays; `config` is the YAML that made it.

    Without `to_resume` only what pictures need. All ranks take it together.
    """
    backend, problem = engine.backend, engine.problem
    if to_resume:
        gather_moments(engine)
    return Snapshot(
        state=engine.state,
        corners=np.asarray(problem.corners),
        pixel_size=engine.context.pixel_size,
        wavelength=problem.wavelength,
        object_occupancy=np.array(backend.to_host(engine.experiment.occupancy)),
        detector_shape=engine.experiment.detector_shape,
        scan_shape=problem.scan_shape,
        detector_blur=problem.detector_blur,
        propagator=problem.propagator,
        used=engine.used,
        initial_positions=engine.initial_positions,
        nominal_positions=None if engine.parameters.scan_affine is None else engine.nominal_positions,
        probe_intensity=engine.context.probe_intensity,
        iteration=engine.iteration,
        history=copy.deepcopy(engine.history),
        moments={name: _saved(engine, name, memory) for name, memory in engine.moments.items()} if to_resume else {},
        learning_rate_factor=engine.learning_rate_factor,
        pending=tuple(engine.pending),
        batch_losses=np.asarray(engine.batch_losses, float).reshape(-1, 1 + len(engine.terms)),
        generator=json.dumps(engine.generator.bit_generator.state),
        data_fingerprint=engine.fingerprint if to_resume else "",
        config=config,
        versions=versions(),
        changes=tuple(engine.changes),
    )


def restore(engine: Engine, snapshot: Snapshot) -> None:
    """Put an engine of the same Problem and Settings where the snapshot was taken."""
    backend = engine.backend
    if engine.tiles is not None:
        lay_out_again(engine, snapshot)
        snapshot = cut_snapshot(engine.tiles, snapshot)
    # A field that is refined only now begins as a new run would begin it.
    engine.parameters = Parameters.of(dict(engine.parameters.items()) | dict(upload(backend, snapshot.state).items()))
    engine.experiment.corners = backend.asarray(np.array(snapshot.corners, np.int32))
    engine.initial_positions = snapshot.initial_positions
    engine.moments = {name: _restored(backend, memory) for name, memory in snapshot.moments.items()}
    engine.context = replace(engine.context, probe_intensity=snapshot.probe_intensity)
    engine.history = copy.deepcopy(snapshot.history)
    engine.iteration = snapshot.iteration
    engine.changes = list(snapshot.changes)
    engine.learning_rate_factor = snapshot.learning_rate_factor
    engine.pending = [np.asarray(batch, np.int32) for batch in snapshot.pending]
    same_terms = snapshot.batch_losses.shape[1:] == (1 + len(engine.terms),)
    engine.batch_losses = snapshot.batch_losses.tolist() if same_terms else []  # other terms: the rest of the iteration
    engine.generator.bit_generator.state = json.loads(snapshot.generator)


def _saved(engine: Engine, name: str, memory: Moments) -> SavedMoments:
    arrays = {key: np.array(engine.backend.to_host(array)) for key, array in memory.arrays.items()}
    if name in tiled(engine):
        arrays = {key: whole(engine, array) for key, array in arrays.items()}
    return SavedMoments(arrays, dict(memory.scalars), memory.step)


def _restored(backend: Backend, saved: SavedMoments) -> Moments:
    arrays = {
        name: owned(backend, array, backend.complex if np.iscomplexobj(array) else backend.real)
        for name, array in saved.arrays.items()
    }
    return Moments(arrays, dict(saved.scalars), saved.step)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape the numbers."""
    found = {name: package_version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **{name: v for name, v in found.items() if v is not None}}
