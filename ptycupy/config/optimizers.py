"""Optimizers: their names, and the options that each of them has. All but the algorithms follow torch.optim."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ptycupy.config.base import Count, Positive, Section, described

Fraction = Annotated[float, Field(ge=0, lt=1)]
Decay = Annotated[float, Field(ge=0)]


class Moments(Section):
    """What the optimizers of Adam's family share."""

    beta1: Fraction = described(0.9, "Memory of the mean gradient.")
    beta2: Fraction = described(0.999, "Memory of the mean squared gradient.")
    eps: Positive = described(1e-8, "Added to the root of the mean square.")


class Adam(Moments):
    """Adam; AMSGrad with `amsgrad`."""

    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")
    amsgrad: bool = described(False, "Never let the mean squared gradient fall.")


class AdamW(Moments):
    """Adam with decoupled weight decay."""

    weight_decay: Decay = described(1e-2, "Share of the parameter, times its learning rate, lost at every step.")
    amsgrad: bool = described(False, "Never let the mean squared gradient fall.")


class SparseAdam(Moments):
    """Adam that moves only what the batch sees."""


class NAdam(Moments):
    """Adam with Nesterov momentum."""

    weight_decay: Decay = described(0.0, "Weight decay.")
    momentum_decay: Decay = described(4e-3, "How fast the momentum approaches beta1.")
    decoupled_weight_decay: bool = described(False, "Decay as AdamW's instead of Adam's.")


class RAdam(Moments):
    """Rectified Adam."""

    weight_decay: Decay = described(0.0, "Weight decay.")
    decoupled_weight_decay: bool = described(False, "Decay as AdamW's instead of Adam's.")


class Adamax(Moments):
    """Adam with the infinity norm."""

    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")


class Adagrad(Section):
    """Adagrad."""

    lr_decay: Decay = described(0.0, "The learning rate is divided by 1 + lr_decay times the steps taken.")
    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")
    initial_accumulator_value: Decay = described(0.0, "What the sum of squared gradients starts from.")
    eps: Positive = described(1e-10, "Added to the root of the sum of squares.")


class Adadelta(Section):
    """Adadelta; learning rates are relative, of the order of 1."""

    rho: Fraction = described(0.9, "Memory of the mean squares.")
    eps: Positive = described(1e-6, "Added to the mean squares.")
    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")


class Adafactor(Section):
    """Adafactor; learning rates are relative to the parameter's size."""

    beta2_decay: float = described(-0.8, "Exponent of the step number: how the memory of squares grows.", le=0)
    eps1: Positive = described(2.0**-23, "Least mean square of gradients; torch takes the machine epsilon.")
    eps2: Positive = described(1e-3, "Least size of a parameter, for the size of its steps.")
    d: float = described(1.0, "Largest root mean square of an update.", ge=1)
    weight_decay: Decay = described(0.0, "Share of the parameter, times its learning rate, lost at every step.")


class RmsProp(Section):
    """RMSprop."""

    alpha: Fraction = described(0.99, "Memory of the mean square.")
    eps: Positive = described(1e-8, "Added to the root of the mean square.")
    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")
    momentum: Fraction = described(0.0, "Memory of the steps.")
    centered: bool = described(False, "Take the mean gradient away before squaring.")


class Rprop(Section):
    """Resilient propagation; the learning rate is the first step."""

    etas: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]] = described(
        (0.5, 1.2), "Factors of a step whose gradient turned, and kept its sign."
    )
    step_sizes: tuple[Positive, Positive] = described((1e-6, 50.0), "Least and largest step.")


class Asgd(Section):
    """Averaged gradient descent."""

    lambd: Decay = described(1e-4, "Decay of parameters and rates.")
    alpha: Positive = described(0.75, "Power of the rates' decay.")
    t0: Decay = described(1e6, "Step from which the average is taken.")
    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")


class Sgd(Section):
    """Gradient descent."""

    momentum: Decay = described(0.0, "Memory of the steps.")
    dampening: float = described(0.0, "Share of a new gradient that the momentum leaves out.")
    nesterov: bool = described(False, "Look ahead along the momentum.")
    weight_decay: Decay = described(0.0, "Times the parameter, added to its gradient.")

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Sgd:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and no dampening")
        return self


class Lbfgs(Section):
    """L-BFGS on all parameters together; the least learning rate is the first step tried."""

    history_size: Count = described(100, "Pairs of steps and gradients that are remembered; each is as large as all.")
    max_iter: Count = described(20, "Iterations per update.", unit="iterations")
    max_eval: Count | None = described(None, "Evaluations of the loss per update; null = 5/4 of max_iter.")
    tolerance_grad: Decay = described(1e-7, "Largest gradient that is none.")
    tolerance_change: Decay = described(1e-9, "Smallest change of loss or parameters that is one.")
    line_search_fn: Literal["strong_wolfe"] | None = described(
        "strong_wolfe", "Search along every direction; null = one step of the learning rate, as torch's default."
    )


class Lsqml(Section):
    """Least-squares maximum likelihood; of object and probe, learning rates only say whether they are refined."""

    beta_object: Decay = described(1.0, "Share of the best step that the object takes.")
    beta_probe: Decay = described(1.0, "Share of the best step that the probe takes.")
    delta: Decay = described(0.1, "Share of the largest illumination that is added to it everywhere.")
    momentum: Fraction = described(0.0, "Share of an iteration's change that is repeated at its end.")


OPTIONS: dict[str, type[Section]] = {
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
