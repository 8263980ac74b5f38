"""Option sets whose trajectories are stored: shared by the script that runs torch and the tests that do not."""

import numpy as np

SHAPES = {"real": (2, 3, 4), "complex": (2, 3, 2), "vector": (5,)}
RATES = {
    "adam": 0.02, "adamw": 0.02, "sparse_adam": 0.02, "nadam": 0.02, "radam": 0.02, "adamax": 0.02, "adagrad": 0.1,
    "adadelta": 1.0, "adafactor": 0.05, "rmsprop": 0.01, "rprop": 0.05, "asgd": 0.01, "sgd": 0.01,
}  # fmt: skip
OPTIONS = {
    "adam": [{}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}, {"amsgrad": True, "weight_decay": 0.1}],
    "adamw": [{}, {"weight_decay": 0.2, "amsgrad": True, "beta1": 0.8}],
    "sparse_adam": [{}, {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3}],
    "nadam": [{}, {"weight_decay": 0.1, "momentum_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "radam": [{}, {"beta2": 0.9, "weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "adamax": [{}, {"beta1": 0.5, "eps": 1e-2, "weight_decay": 0.1}],
    "adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}],
    "adadelta": [{}, {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}],
    "adafactor": [
        {"eps1": 2.0**-23},
        {"eps1": 1e-3, "eps2": 0.1, "d": 1.5, "beta2_decay": -0.5, "weight_decay": 0.1},
    ],
    "rmsprop": [{}, {"alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "centered": True, "weight_decay": 0.1}],
    "rprop": [{}, {"etas": (0.3, 1.5), "step_sizes": (0.01, 0.2)}],
    "asgd": [{}, {"lambd": 0.1, "alpha": 0.5, "t0": 4, "weight_decay": 0.1}],
    "sgd": [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"momentum": 0.8, "dampening": 0.3},
        {"momentum": 0.9, "nesterov": True},
    ],
}


def falling(step):
    """A factor as a user's function would have it."""
    return 0.93**step / (1 + step % 3)


# torch's class, then (torch's options, ours) for a learning rate of 1.
SCHEDULES = {
    "constant": ["ConstantLR", ({}, {}), ({"factor": 0.2, "total_iters": 7}, {"factor": 0.2, "total": 7})],
    "linear": [
        "LinearLR", ({}, {}),
        ({"start_factor": 0.1, "end_factor": 0.7, "total_iters": 12}, {"start": 0.1, "end": 0.7, "total": 12}),
    ],
    "step": ["StepLR", ({"step_size": 6}, {"every": 6}),
             ({"step_size": 9, "gamma": 0.5}, {"every": 9, "gamma": 0.5})],
    "multistep": ["MultiStepLR",
                  ({"milestones": [3, 8, 8, 20], "gamma": 0.5}, {"milestones": (3, 8, 8, 20), "gamma": 0.5})],
    "exponential": ["ExponentialLR", ({"gamma": 0.9}, {"gamma": 0.9})],
    "polynomial": ["PolynomialLR", ({}, {}), ({"total_iters": 25, "power": 2.5}, {"total": 25, "power": 2.5})],
    "cosine": ["CosineAnnealingLR", ({"T_max": 10}, {"total": 10}),
               ({"T_max": 30, "eta_min": 0.1}, {"total": 30, "least": 0.1})],
    "cosine_restarts": ["CosineAnnealingWarmRestarts", ({"T_0": 7}, {"first": 7}),
                        ({"T_0": 5, "T_mult": 2, "eta_min": 0.2}, {"first": 5, "growth": 2, "least": 0.2})],
    "one_cycle": [
        "OneCycleLR", ({"max_lr": 1.0, "total_steps": 41}, {"total": 41}),
        ({"max_lr": 1.0, "total_steps": 50, "pct_start": 0.4, "anneal_strategy": "linear", "div_factor": 10.0,
          "final_div_factor": 100.0},
         {"total": 50, "rise": 0.4, "shape": "linear", "start_division": 10.0, "end_division": 100.0}),
        ({"max_lr": 1.0, "total_steps": 45, "three_phase": True}, {"total": 45, "three_phase": True}),
        ({"max_lr": 1.0, "total_steps": 45, "cycle_momentum": True}, {"total": 45, "momenta": (0.85, 0.95)}),
        ({"max_lr": 1.0, "total_steps": 45, "three_phase": True, "cycle_momentum": True, "base_momentum": 0.6,
          "max_momentum": 0.9, "anneal_strategy": "linear"},
         {"total": 45, "three_phase": True, "momenta": (0.6, 0.9), "shape": "linear"}),
    ],
    "cyclic": [
        "CyclicLR",
        ({"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 6}, {"least": 0.1, "up": 6}),
        ({"base_lr": 0.2, "max_lr": 1.0, "step_size_up": 4, "step_size_down": 9, "mode": "triangular2"},
         {"least": 0.2, "up": 4, "down": 9, "shape": "triangular2"}),
        ({"base_lr": 0.2, "max_lr": 1.0, "step_size_up": 4, "mode": "exp_range", "gamma": 0.97},
         {"least": 0.2, "up": 4, "shape": "exp_range", "gamma": 0.97}),
        ({"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 4, "step_size_down": 9, "mode": "triangular2",
          "cycle_momentum": True},
         {"least": 0.1, "up": 4, "down": 9, "shape": "triangular2", "momenta": (0.8, 0.9)}),
        ({"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 5, "mode": "exp_range", "gamma": 0.97,
          "cycle_momentum": True},
         {"least": 0.1, "up": 5, "shape": "exp_range", "gamma": 0.97, "momenta": (0.8, 0.9)}),
    ],
    "listed": ["LambdaLR", ({"lr_lambda": falling}, {"factors": tuple(falling(step) for step in range(40))})],
    "plateau": [
        "ReduceLROnPlateau", ({}, {}),
        ({"factor": 0.5, "patience": 2, "cooldown": 3, "threshold": 0.3, "min_lr": 0.05},
         {"factor": 0.5, "patience": 2, "cooldown": 3, "threshold": 0.3, "least": 0.05}),
        ({"factor": 0.5, "patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
         {"factor": 0.5, "patience": 1, "threshold": 0.1, "threshold_mode": "abs"}),
    ],
}  # fmt: skip

LBFGS = [
    {"lr": 0.002, "max_iter": 5},
    {"lr": 1.0, "max_iter": 6, "history_size": 3, "line_search_fn": "strong_wolfe"},
    {"lr": 0.5, "max_iter": 20, "line_search_fn": "strong_wolfe"},
]


def rosenbrock(x):
    """Rosenbrock's function of any number of variables, with curved valleys that line searches must follow, and its
    gradient."""
    valley, rest = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    value = float(np.sum(10 * valley**2 + rest**2))
    grad = np.zeros_like(x)
    grad[:-1] = -40 * x[:-1] * valley - 2 * rest
    grad[1:] += 20 * valley
    return value, grad
