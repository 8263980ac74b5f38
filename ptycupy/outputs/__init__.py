"""Files and pictures for people: TIFF stacks that Fiji reads, and PNG figures with scale bars and units."""

from ptycupy.outputs.pattern_figures import PatternPair
from ptycupy.outputs.write import write_outputs

__all__ = ["PatternPair", "write_outputs"]
