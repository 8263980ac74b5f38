"""ptycupy: electron and X-ray ptychography as a kernel-level engine.

The public names are imported when they are first used, so that `import ptycupy` is quick and needs no device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ptycupy.api import (
        BatchResult,
        Exported,
        Result,
        export,
        export_patterns,
        read_result,
        reconstruct,
        reconstruct_batch,
    )
    from ptycupy.doctor import doctor
    from ptycupy.experiment.probe import make_probe
    from ptycupy.experiment.state import Problem, State
    from ptycupy.functional import apply_constraint, forward, loss_and_gradients
    from ptycupy.gradient_check import check_gradient
    from ptycupy.model.objective import Loss
    from ptycupy.reconstruction.callbacks import Callback
    from ptycupy.reconstruction.engine import Engine
    from ptycupy.reconstruction.joint import JointEngine
    from ptycupy.reconstruction.residency import Residency
    from ptycupy.tape import Op, Tape
    from ptycupy.update.settings import Active, Constraint, Settings

_HOMES = {
    "Active": "ptycupy.update.settings",
    "BatchResult": "ptycupy.api",
    "Callback": "ptycupy.reconstruction.callbacks",
    "Constraint": "ptycupy.update.settings",
    "Engine": "ptycupy.reconstruction.engine",
    "Exported": "ptycupy.api",
    "JointEngine": "ptycupy.reconstruction.joint",
    "Loss": "ptycupy.model.objective",
    "Op": "ptycupy.tape",
    "Problem": "ptycupy.experiment.state",
    "Residency": "ptycupy.reconstruction.residency",
    "Result": "ptycupy.api",
    "Settings": "ptycupy.update.settings",
    "State": "ptycupy.experiment.state",
    "Tape": "ptycupy.tape",
    "apply_constraint": "ptycupy.functional",
    "check_gradient": "ptycupy.gradient_check",
    "doctor": "ptycupy.doctor",
    "export": "ptycupy.api",
    "export_patterns": "ptycupy.api",
    "forward": "ptycupy.functional",
    "loss_and_gradients": "ptycupy.functional",
    "make_probe": "ptycupy.experiment.probe",
    "read_result": "ptycupy.api",
    "reconstruct": "ptycupy.api",
    "reconstruct_batch": "ptycupy.api",
}
_MODULES = ("backends", "plot")

__all__ = [
    "Active",
    "BatchResult",
    "Callback",
    "Constraint",
    "Engine",
    "Exported",
    "JointEngine",
    "Loss",
    "Op",
    "Problem",
    "Residency",
    "Result",
    "Settings",
    "State",
    "Tape",
    "apply_constraint",
    "check_gradient",
    "doctor",
    "export",
    "export_patterns",
    "forward",
    "loss_and_gradients",
    "make_probe",
    "read_result",
    "reconstruct",
    "reconstruct_batch",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"ptycupy.{name}")
    raise AttributeError(f"module 'ptycupy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
