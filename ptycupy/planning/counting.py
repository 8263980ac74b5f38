"""What counting backends have in common: the ops that backends compose of others count what those count."""

from __future__ import annotations

from ptycupy.backends import composed
from ptycupy.planning.data import Data
from ptycupy.planning.instrument import Instrument
from ptycupy.planning.memory import op
from ptycupy.planning.steps import Constraining
from ptycupy.planning.waves import Waves


class Counting(Waves, Instrument, Data, Constraining):
    """A Backend whose arrays have no values; `ledger` has what its ops cost, `arena_bytes()` their scratch."""

    @property
    def way(self) -> str:
        """How waves that were counted went through the slices, where there are several ways; empty otherwise."""
        return ""

    def fresh(self) -> Counting:
        """Another one of the same kind, that has counted nothing."""
        raise NotImplementedError

    diffraction_forward = op(composed.Diffraction.diffraction_forward)
    diffraction_backward = op(composed.Diffraction.diffraction_backward)
    misfit_forward = op(composed.Misfit.misfit_forward)
    misfit_backward = op(composed.Misfit.misfit_backward)


__all__ = ["Counting"]
