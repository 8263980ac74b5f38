"""check_gradient: an op's adjoint against central differences along random directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.backends.exchange import to_numpy
from ptycupy.errors import ConfigError, PtycupyError
from ptycupy.tape import Op, Tape


class NumpyArrays:
    """The tape's needs, for ops that work on NumPy arrays."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return np.empty(shape, dtype)

    def fill(self, array: NDArray[Any], value: float) -> None:
        array[...] = value

    def add(self, target: NDArray[Any], source: NDArray[Any]) -> None:
        target += source


def check_gradient(
    op: Op,
    *inputs: Any,
    dtype: str = "float32",
    step: float | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> list[float]:
    """Compares `op.backward` with central differences of `op.forward`, one random direction per input.

    The op must work on NumPy arrays, as those of the CPU backend do. Floating inputs are cast to `dtype` ("float32" or
    "float64", complex ones to its complex type); integers have no gradient. Returns the relative error per input and
    raises PtycupyError, naming both numbers, where one exceeds `tolerance` (default 1e-6 in float64, 2e-2 in
    float32, whose differences are that coarse). The loss is Re <g, op(x)> with a random g, or the op's own scalar.
    """
    if dtype not in {"float32", "float64"}:
        raise ConfigError(f"dtype {dtype!r}: float32 or float64")
    double = dtype == "float64"
    step = (1e-6 if double else 1e-2) if step is None else step
    tolerance = (1e-6 if double else 2e-2) if tolerance is None else tolerance
    generator = np.random.default_rng(seed)
    complex_type = np.result_type(dtype, np.complex64)

    def cast(values: Any) -> NDArray[Any]:
        array = to_numpy(values)
        if np.iscomplexobj(array):
            return array.astype(complex_type)
        return array.astype(dtype) if array.dtype.kind == "f" else array

    def random_like(array: NDArray[Any]) -> NDArray[Any]:
        noise = generator.standard_normal(array.shape)
        if np.iscomplexobj(array):
            noise = noise + 1j * generator.standard_normal(array.shape)
        return noise.astype(array.dtype)

    values = [cast(x) for x in inputs]
    output = np.array(op.forward(*(x.copy() for x in values))[0])
    scalar = output.shape == (1,)
    cotangent = np.ones(1) if scalar else random_like(output)

    def loss(arrays: list[NDArray[Any]]) -> float:
        result = np.asarray(op.forward(*(x.copy() for x in arrays))[0])
        return float(np.vdot(cotangent, result.astype(np.result_type(result, np.float64))).real)

    tape = Tape(NumpyArrays())
    variables = [tape.variable(x.copy()) if x.dtype.kind in "fc" else tape.constant(x) for x in values]
    out = tape.apply(op, *variables)
    tape.backward([(out, 1.0 if scalar else cotangent.copy())])
    errors = []
    for i, variable in enumerate(variables):
        if not variable.requires_grad:
            errors.append(0.0)
            continue
        direction = random_like(values[i])
        ahead = [x + step * direction if i == j else x for j, x in enumerate(values)]
        behind = [x - step * direction if i == j else x for j, x in enumerate(values)]
        slope = (loss(ahead) - loss(behind)) / (2 * step)
        found = 0.0 if variable.grad is None else float(np.vdot(np.asarray(variable.grad), direction).real)
        scale = max(abs(slope), abs(found))
        errors.append(abs(slope - found) / scale if scale > 0 else 0.0)
        if not errors[-1] <= tolerance:
            raise PtycupyError(
                f"{type(op).__name__}: gradient of input {i} along a random direction is {found:.9g}, "
                f"central differences give {slope:.9g} (relative error {errors[-1]:.2g} > {tolerance:g})"
            )
    return errors
