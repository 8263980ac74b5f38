"""The differentiable ops, forward beside adjoint. They know the Backend protocol, never the device."""

from ptycupy.ops.axis_filter import AxisFilter
from ptycupy.ops.far_field import FarField
from ptycupy.ops.gaussian import Gaussian
from ptycupy.ops.intensity import Intensity
from ptycupy.ops.pacbed import Pacbed
from ptycupy.ops.patch import Patch
from ptycupy.ops.poisson import Poisson
from ptycupy.ops.propagate import Propagate
from ptycupy.ops.shift import Shift
from ptycupy.ops.similarity import Similarity
from ptycupy.ops.sparsity import Sparsity
from ptycupy.ops.take import Take
from ptycupy.ops.transfer import Transfer
from ptycupy.ops.transmission import Transmission
from ptycupy.ops.transmit import Transmit

__all__ = [
    "AxisFilter",
    "FarField",
    "Gaussian",
    "Intensity",
    "Pacbed",
    "Patch",
    "Poisson",
    "Propagate",
    "Shift",
    "Similarity",
    "Sparsity",
    "Take",
    "Transfer",
    "Transmission",
    "Transmit",
]
