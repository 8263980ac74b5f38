"""How many patterns a device takes at once."""

from __future__ import annotations

from ptycupy.backends.interface import Backend
from ptycupy.model.experiment import Experiment
from ptycupy.model.parameters import Parameters

SHARE = 0.5  # of the free memory, for the waves of one sub-batch


def bytes_per_pattern(backend: Backend, parameters: Parameters, experiment: Experiment) -> int:
    """Bytes of the waves, spectra and patterns that one position keeps alive until its gradient is known."""
    probes, objects = parameters.probe.shape[0], parameters.object_phase.shape[0]
    modes, window = probes * objects, parameters.window[0] * parameters.window[1]
    detector = experiment.detector_shape[0] * experiment.detector_shape[1]
    # Per slice: the waves before it, their spectra and the scattered gradient; then the waves at the detector.
    waves = (2 * modes + objects) * parameters.slices + modes
    if parameters.probe_variations is not None:  # shifted one by one, summed, and a gradient of each
        waves += 3 * (probes + parameters.probe_variations.shape[0])
    if parameters.tilts.shape[0] > 1 and parameters.slices > 1:  # transfer functions of each gap, and their gradients
        waves += 2 * parameters.slice_thickness.shape[0]
    if parameters.descan is not None:  # the waves before it; in the near field a transfer function and its gradient
        waves += modes if experiment.near_field is None else modes + 2
    return int(waves * window * backend.complex.itemsize + (2 * window + 6 * detector) * backend.real.itemsize)


def patterns_that_fit(backend: Backend, parameters: Parameters, experiment: Experiment) -> int:
    """The largest sub-batch that memory allows, at least 1."""
    return max(1, int(SHARE * backend.free_bytes()) // bytes_per_pattern(backend, parameters, experiment))
