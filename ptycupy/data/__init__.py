"""From files to patterns: lazy sources, masks, auxiliary arrays, and the survey that every run begins with."""

from ptycupy.data.arrays import read_array, read_attributes
from ptycupy.data.description import describe
from ptycupy.data.loading import load_mask, open_source
from ptycupy.data.shapes import factor_pairs, require_scan_shape
from ptycupy.data.source import ArraySource, Calibration, PatternSource, Provenance
from ptycupy.data.stored import Attributes

__all__ = [
    "ArraySource",
    "Attributes",
    "Calibration",
    "PatternSource",
    "Provenance",
    "describe",
    "factor_pairs",
    "load_mask",
    "open_source",
    "read_array",
    "read_attributes",
    "require_scan_shape",
]
