"""Writes torch_trajectories.npz: what torch's optimizers and schedulers do, for tests that have no torch.

    python tests/files/make_torch_trajectories.py     (needs torch; the file says which version made it)

Keys: gradients/<kind> [20, ...]; start/<kind>; steps/<optimizer>/<number>/<kind> [3, ...] in float64, the parameter
after steps 1, 7 and 20 of option set `number` of OPTIONS in torch_options.py; schedules and L-BFGS likewise.
"""

from pathlib import Path

import numpy as np
import torch
from torch_options import LBFGS, OPTIONS, RATES, SCHEDULES, SHAPES, rosenbrock

NAMES = {
    "adam": "Adam", "adamw": "AdamW", "sparse_adam": "SparseAdam", "nadam": "NAdam", "radam": "RAdam",
    "adamax": "Adamax", "adagrad": "Adagrad", "adadelta": "Adadelta", "adafactor": "Adafactor",
    "rmsprop": "RMSprop", "rprop": "Rprop", "asgd": "ASGD", "sgd": "SGD",
}  # fmt: skip
KEPT = (1, 7, 20)


def translated(options):
    """Our options under torch's names."""
    found = dict(options)
    if {"beta1", "beta2"} & set(found):
        found["betas"] = (found.pop("beta1", 0.9), found.pop("beta2", 0.999))
    if {"eps1", "eps2"} & set(found):
        found["eps"] = (found.pop("eps1"), found.pop("eps2", 1e-3))
    return found


def trajectory(name, options, start, gradients):
    parameter = torch.nn.Parameter(torch.view_as_real(start) if start.is_complex() else start.clone())
    parameter = torch.nn.Parameter(parameter.detach().clone())
    optimizer = getattr(torch.optim, NAMES[name])([parameter], lr=RATES[name], **translated(options))
    kept = []
    for number, grad in enumerate(gradients, start=1):
        real = torch.view_as_real(grad) if grad.is_complex() else grad
        # torch's sparse tensors of our support: every element that is not zero
        parameter.grad = real.to_sparse() if name == "sparse_adam" else real.clone()
        optimizer.step()
        if number in KEPT:
            kept.append(parameter.detach().clone())
    found = torch.stack(kept)
    return (torch.view_as_complex(found) if start.is_complex() else found).numpy()


def schedule(name, options, steps):
    """Factors on a learning rate of 1 before each of so many steps, and the momenta that go with them."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0, momentum=0.9)
    if name in {"one_cycle", "cyclic"}:
        options = {"cycle_momentum": False, **options}
    made = getattr(torch.optim.lr_scheduler, SCHEDULES[name][0])(optimizer, **options)
    losses = [1 / (1 + n) if n < 8 else 0.125 for n in range(steps)]
    factors, momenta = [], []
    for loss in losses:
        factors.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        made.step(loss) if name == "plateau" else made.step()
    return np.array(factors), np.array(momenta)


def lbfgs(options, start):
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = torch.optim.LBFGS([parameter], **options)
    kept = []

    def closure():
        optimizer.zero_grad()
        value, grad = rosenbrock(parameter.detach().numpy())
        parameter.grad = torch.tensor(grad)
        return torch.tensor(value)

    for _ in range(4):
        optimizer.step(closure)
        kept.append(parameter.detach().numpy().copy())
    return np.stack(kept)


def main():
    torch.set_default_dtype(torch.float64)  # also of the numbers that some optimizers keep beside their tensors
    random = np.random.default_rng(3)
    made = {"torch": np.array(torch.__version__)}
    for kind, shape in SHAPES.items():
        scale = 10.0 ** random.integers(-3, 3, 20).reshape(20, *[1] * len(shape))
        parts = random.standard_normal((2, 21, *shape))
        values = parts[0] + 1j * parts[1] if kind == "complex" else parts[0]
        made[f"start/{kind}"], made[f"gradients/{kind}"] = values[0], values[1:] * scale
        made[f"gradients/{kind}"].reshape(20, -1)[:, ::5] = 0
    for name, sets in OPTIONS.items():
        for number, options in enumerate(sets):
            for kind in SHAPES:
                start, gradients = (torch.tensor(made[f"{what}/{kind}"]) for what in ("start", "gradients"))
                made[f"steps/{name}/{number}/{kind}"] = trajectory(name, options, start, gradients)
    for name, (_, *sets) in SCHEDULES.items():
        for number, (theirs, _) in enumerate(sets):
            made[f"schedule/{name}/{number}"], made[f"momentum/{name}/{number}"] = schedule(name, theirs, 40)
    for number, options in enumerate(LBFGS):
        made[f"lbfgs/{number}"] = lbfgs(options, made["start/real"].reshape(-1))
    np.savez_compressed(Path(__file__).parent / "torch_trajectories.npz", **made)


if __name__ == "__main__":
    main()
