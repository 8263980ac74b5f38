"""How many patterns a device takes at once."""

from __future__ import annotations

from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters

SHARE = 0.5  # of the free memory, for the waves of one sub-batch


def bytes_per_pattern(backend: Backend, parameters: Parameters, experiment: Experiment) -> int:
    """Bytes of the waves, spectra and patterns that one position keeps alive on the tape."""
    modes = parameters.probe.shape[0] * parameters.object_phase.shape[0]
    window = parameters.window[0] * parameters.window[1]
    detector = experiment.detector_shape[0] * experiment.detector_shape[1]
    # Per slice: the wave before it, its exit wave and perhaps its spectrum; then shift and far field.
    waves = modes * (3 * parameters.slices + 2) * window * backend.complex.itemsize
    scatter = parameters.object_phase.shape[0] * window * backend.complex.itemsize
    return int(waves + scatter + 8 * (window + detector) * backend.real.itemsize)


def patterns_that_fit(backend: Backend, parameters: Parameters, experiment: Experiment) -> int:
    """The largest sub-batch that memory allows, at least 1."""
    return max(1, int(SHARE * backend.free_bytes()) // bytes_per_pattern(backend, parameters, experiment))
