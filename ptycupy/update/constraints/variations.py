"""The gauge of a probe that varies over the scan, restored once per iteration without changing any pattern."""

from __future__ import annotations

from ptycupy.backends.interface import Backend
from ptycupy.model.parameters import Parameters


def normalise_variations(backend: Backend, parameters: Parameters, power: float) -> None:
    """Variations orthogonal, each with the intensity `power`, and weights with zero mean over the scan.

    What a position's probe is stays as it is: the weights turn with the variations, their mean goes to the first mode.
    """
    with backend.arena():
        backend.normalise_variations(parameters.probe, parameters.probe_variations, parameters.variation_weights, power)
