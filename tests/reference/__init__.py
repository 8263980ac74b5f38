"""Every Backend method in complex128 NumPy, written from the formulas of the protocol and of nothing else.

Slow and plain on purpose: loops over patterns, `numpy.fft`, no reuse of memory, nothing is overwritten. Methods that
accumulate do so in their float64/complex128 targets. The twins of every device are compared with these.
"""

from __future__ import annotations

from ptycupy.backends import composed
from reference.constraining import Constraining
from reference.filtering import Filtering
from reference.instrument import Instrument
from reference.losses import Losses
from reference.measuring import Measuring
from reference.optimizing import Optimizing
from reference.waves import Waves


class ReferenceBackend(composed.Misfit, Waves, Instrument, Losses, Optimizing, Constraining, Filtering, Measuring):
    """The protocol in float64; `saved` values are its own."""
