"""Values of keys in words: numbers as short as they may be, and their units."""

from __future__ import annotations

import re
from typing import Any

SUFFIXES = {"angstrom": "Å", "mrad": "mrad", "degrees": "degrees", "px": "px", "kv": "kV", "kev": "keV"}


def word(value: Any) -> str:
    """Four digits of a fraction, everything of anything else."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def unit(key: str, calibration: str) -> str:
    """The unit that a key's own name says, or of an aberration; of `calibration.value` the one of its mode's name."""
    if key == "calibration.value":
        inverse = "1/" if "_inverse_" in calibration else ""
        return inverse + SUFFIXES.get(calibration.rpartition("_")[2], "")
    if re.match(r"illumination\.aberrations\.C\d", key):
        return "Å"
    name = re.sub(r"\.\d+$", "", key).rpartition(".")[2]
    return SUFFIXES.get(name.rpartition("_")[2], "") if "_" in name else ""
