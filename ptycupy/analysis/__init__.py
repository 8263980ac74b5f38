"""Numbers about a reconstruction: resolution, contrast, agreement with a known truth."""

from ptycupy.analysis.comparison import Comparison, compare_with_truth, scan_centre
from ptycupy.analysis.contrast import contrast_objective
from ptycupy.analysis.information_limit import information_limit
from ptycupy.analysis.registration import fourier_shift, registration_shift
from ptycupy.analysis.resolution import RingCorrelation, fourier_ring_correlation
from ptycupy.analysis.result import score_result, summed_phase_limit
from ptycupy.analysis.ssim import structural_similarity

__all__ = [
    "Comparison",
    "RingCorrelation",
    "compare_with_truth",
    "contrast_objective",
    "fourier_ring_correlation",
    "fourier_shift",
    "information_limit",
    "registration_shift",
    "scan_centre",
    "score_result",
    "structural_similarity",
    "summed_phase_limit",
]
