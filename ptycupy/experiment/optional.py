"""The optional fields of a State where they change nothing yet: they are there once something refines them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ptycupy.experiment.probe import probe_variations
from ptycupy.experiment.state import State

if TYPE_CHECKING:
    from ptycupy.config import schema


def with_optional_fields(state: State, config: schema.Config, patterns: tuple[int, int, int]) -> State:
    """The state with every optional field whose learning rate is above 0, or which `illumination` asks for.

    `patterns` is the shape (N, ky, kx).
    """
    count, *detector = patterns
    neutral: dict[str, Any] = {
        "pattern_intensity": np.ones(count, np.float32),
        "background": np.zeros(detector, np.float32),
        "descan": np.zeros((count, 2), np.float32),
        "scan_affine": np.zeros(4, np.float32),
    }
    rates = config.optimizer.rates
    changes = {name: value for name, value in neutral.items() if rates[name].learning_rate > 0}
    names, variations = config.illumination.refined_aberrations, config.illumination.variations
    if names:
        changes["aberrations"] = np.zeros(len(names), np.float32)
    if variations:
        changes["probe_variations"] = probe_variations(state.probe, variations)
        changes["variation_weights"] = np.zeros((count, variations), np.float32)
    return state.replace(**changes)
