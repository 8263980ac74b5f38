"""The differentiable ops, forward beside adjoint. They know the Backend protocol, never the device."""

from ptycupy.ops.aberrate import Aberrate
from ptycupy.ops.axis_filter import AxisFilter
from ptycupy.ops.background import Background
from ptycupy.ops.descan import Descan
from ptycupy.ops.diffraction import Diffraction
from ptycupy.ops.dose import Dose
from ptycupy.ops.far_field import FarField
from ptycupy.ops.gaussian import Gaussian
from ptycupy.ops.intensity import Intensity
from ptycupy.ops.misfit import Misfit
from ptycupy.ops.multislice import Multislice
from ptycupy.ops.pacbed import Pacbed
from ptycupy.ops.patch import Patch
from ptycupy.ops.poisson import Poisson
from ptycupy.ops.propagate import Propagate
from ptycupy.ops.rescale import Rescale
from ptycupy.ops.scan_affine import ScanAffine
from ptycupy.ops.shift import Shift
from ptycupy.ops.similarity import Similarity
from ptycupy.ops.sparsity import Sparsity
from ptycupy.ops.stack import Stack
from ptycupy.ops.take import Take
from ptycupy.ops.transfer import Transfer
from ptycupy.ops.transmission import Transmission
from ptycupy.ops.transmit import Transmit
from ptycupy.ops.vary import Vary

__all__ = [
    "Aberrate",
    "AxisFilter",
    "Background",
    "Descan",
    "Diffraction",
    "Dose",
    "FarField",
    "Gaussian",
    "Intensity",
    "Misfit",
    "Multislice",
    "Pacbed",
    "Patch",
    "Poisson",
    "Propagate",
    "Rescale",
    "ScanAffine",
    "Shift",
    "Similarity",
    "Sparsity",
    "Stack",
    "Take",
    "Transfer",
    "Transmission",
    "Transmit",
    "Vary",
]
