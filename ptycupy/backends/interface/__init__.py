"""The Backend protocol: one documented method per op, the same for every device.

Letters in shapes: N positions in all, n in the batch, p probe modes, o object modes, z slices, g gaps between
slices (1 where all are alike, else z - 1), t tilts (1 or n), Y X the object canvas, y x the probe window,
ky kx the detector. Zero frequency is in the corner everywhere except in the stored patterns.
The gradient of a complex array is dL/dRe + i dL/dIm. "Accumulates" means that the target is added to.
Arrays named in "overwrites" may be reused for the result: the caller must not read them afterwards.
Sources of the formulas: Lee et al., PtyRAD (2025), Eqs. 1-9, and Van den Broek and Koch, PRL 109 (2012).
"""

from __future__ import annotations

from typing import Protocol

from ptycupy.backends.interface.array import Array
from ptycupy.backends.interface.constraining import Constraining
from ptycupy.backends.interface.filtering import Filtering
from ptycupy.backends.interface.fitting import Fitting
from ptycupy.backends.interface.instrument import Instrument
from ptycupy.backends.interface.losses import Losses
from ptycupy.backends.interface.measuring import Measuring
from ptycupy.backends.interface.memory import Mark, Memory
from ptycupy.backends.interface.optimizing import Optimizing
from ptycupy.backends.interface.waves import Waves


class Backend(Memory, Waves, Instrument, Losses, Optimizing, Constraining, Filtering, Fitting, Measuring, Protocol):
    """Arrays and kernels of one device in one precision."""


__all__ = ["Array", "Backend", "Mark"]
