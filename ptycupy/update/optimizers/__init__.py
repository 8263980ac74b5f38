"""Optimizers: init makes the memory of one parameter, update is one step of kernels on it.

All follow torch.optim, whose names are accepted too. Complex parameters are pairs of reals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptycupy.config import registered
from ptycupy.config.registered import make
from ptycupy.update.algorithm import Algorithm, GradientSteps
from ptycupy.update.optimizers.adadelta import Adadelta
from ptycupy.update.optimizers.adafactor import Adafactor
from ptycupy.update.optimizers.adagrad import Adagrad
from ptycupy.update.optimizers.adam import Adam, AdamW
from ptycupy.update.optimizers.adamax import Adamax
from ptycupy.update.optimizers.asgd import Asgd
from ptycupy.update.optimizers.interface import Moments, Optimizer, Repeatable
from ptycupy.update.optimizers.lbfgs import Lbfgs
from ptycupy.update.optimizers.lsqml import Lsqml
from ptycupy.update.optimizers.nadam import NAdam
from ptycupy.update.optimizers.radam import RAdam
from ptycupy.update.optimizers.rmsprop import RmsProp
from ptycupy.update.optimizers.rprop import Rprop
from ptycupy.update.optimizers.sgd import Sgd
from ptycupy.update.optimizers.sparse_adam import SparseAdam

OPTIMIZERS: dict[str, Callable[..., Optimizer | Algorithm]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sparse_adam": SparseAdam,
    "nadam": NAdam,
    "radam": RAdam,
    "adamax": Adamax,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "adafactor": Adafactor,
    "rmsprop": RmsProp,
    "rprop": Rprop,
    "asgd": Asgd,
    "sgd": Sgd,
    "lbfgs": Lbfgs,
    "lsqml": Lsqml,
}


def make_optimizer(optimizer: Any, **options: Any) -> Any:
    """An Optimizer or Algorithm by name with its options, or the given object; ConfigError for an unknown name or
    option.

    A package registers its own as `ptycupy.optimizers`: a callable that takes the options and makes one of these.
    """
    if not isinstance(optimizer, str):
        return optimizer
    name = registered.plain_name(optimizer, OPTIMIZERS)
    return make(f"optimizer {optimizer}", name, options, OPTIMIZERS, registered.OPTIMIZERS)


def is_elementwise(algorithm: Algorithm) -> bool:
    """Whether what becomes of a position's parameters needs no other position's: ours but for L-BFGS and Adafactor."""
    if isinstance(algorithm, GradientSteps):
        return type(algorithm.optimizer) in set(OPTIMIZERS.values()) - {Adafactor}
    return type(algorithm) is Lsqml


__all__ = ["OPTIMIZERS", "Adam", "Moments", "Optimizer", "Repeatable", "is_elementwise", "make_optimizer"]
