"""What may be wrong with a reconstruction, each with the line of the configuration that mends it.

    for finding in diagnose(snapshot, observed): print(finding)

Every check is a function of a Case that returns a Finding, or None; it knows nothing of the others.
"""

from ptycupy.analysis.diagnosis.case import Case, Finding, Observed
from ptycupy.analysis.diagnosis.course import loss_rises, still_falling, wasted_iterations
from ptycupy.analysis.diagnosis.geometry import drifting_positions, wrong_orientation, wrong_pixel_size, wrong_rotation
from ptycupy.analysis.diagnosis.illumination import aperture_mismatch, leaked_probe, probe_at_the_edge
from ptycupy.analysis.diagnosis.measured import saturated
from ptycupy.analysis.diagnosis.specimen import depth_drift, empty_slices, raster_artefact, thick_slices
from ptycupy.storage.snapshot import Snapshot

__all__ = ["Case", "Finding", "Observed", "diagnose"]

CHECKS = (
    saturated,
    wrong_orientation,
    wrong_rotation,
    wrong_pixel_size,
    drifting_positions,
    aperture_mismatch,
    probe_at_the_edge,
    leaked_probe,
    raster_artefact,
    depth_drift,
    thick_slices,
    empty_slices,
    loss_rises,
    wasted_iterations,
    still_falling,
)


def diagnose(snapshot: Snapshot, observed: Observed | None = None) -> list[Finding]:
    """What the checks found, in the order in which it should be mended; `observed` is what the patterns say."""
    case = Case(snapshot, observed)
    return [finding for check in CHECKS if (finding := check(case)) is not None]
