"""What a format of another program is to the list of formats, and what of a reconstruction it may be unable to hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ptycupy.storage.atomic import Sink
from ptycupy.storage.snapshot import Snapshot


@dataclass(frozen=True)
class Format:
    """One layout of one program: `write` puts a Snapshot into a Sink, `holds` names the PARTS that it has."""

    name: str  # as --to spells it
    program: str  # whose file it is
    suffix: str
    write: Callable[[Sink, Snapshot], None]
    holds: frozenset[str]

    def lacks(self, snapshot: Snapshot) -> list[str]:
        """What this reconstruction has and the format has no place for, and what is written in its stead."""
        return [part.told for name, part in PARTS.items() if name not in self.holds and part.present(snapshot)]


@dataclass(frozen=True)
class Part:
    """Something that not every format has a place for."""

    present: Callable[[Snapshot], bool]
    told: str


def _gaps_differ(snapshot: Snapshot) -> bool:
    thickness = np.asarray(snapshot.state.slice_thickness)
    return bool(thickness.ndim and thickness.size and np.ptp(thickness) > 0)


def _pixels_differ(snapshot: Snapshot) -> bool:
    return snapshot.pixel_size is not None and snapshot.pixel_size[0] != snapshot.pixel_size[1]


def _tilts_differ(snapshot: Snapshot) -> bool:
    return bool(np.ptp(np.asarray(snapshot.state.tilts), axis=0).any())


PARTS = {
    "object modes": Part(lambda s: s.state.object_phase.shape[0] > 1, "object modes (their mean is written)"),
    "slices": Part(lambda s: s.state.object_phase.shape[1] > 1, "slices (their product is written) and thickness"),
    "gaps": Part(_gaps_differ, "a thickness for each gap (their mean is written)"),
    "pixels": Part(_pixels_differ, "pixels that are not square"),
    "tilt": Part(lambda s: bool(np.any(np.asarray(s.state.tilts))), "tilts"),
    "tilts": Part(_tilts_differ, "a tilt for each position"),
    "variations": Part(lambda s: s.state.probe_variations is not None, "a probe that varies over the scan"),
    "intensity": Part(lambda s: s.state.pattern_intensity is not None, "factors of the patterns' intensity"),
    "background": Part(lambda s: s.state.background is not None, "the background"),
    "descan": Part(lambda s: s.state.descan is not None, "the descan"),
    "aberrations": Part(lambda s: s.state.aberrations is not None, "changes of aberrations"),
}
ALL = frozenset(PARTS)
SLICED = frozenset({"slices", "gaps", "pixels"})
