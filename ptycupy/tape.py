"""A reverse-mode tape: it records ops and runs their adjoints backwards. It knows nothing of ptychography."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Array = Any


class Arrays(Protocol):
    """The three things that the tape asks of a backend."""

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array: ...

    def fill(self, array: Array, value: float) -> None: ...

    def add(self, target: Array, source: Array) -> None:
        """target += source"""
        ...


class Variable:
    """A value, and its gradient once the tape has run backwards."""

    __slots__ = ("_arrays", "grad", "requires_grad", "value")

    def __init__(self, arrays: Arrays, value: Array, requires_grad: bool, grad: Array | None = None) -> None:
        self._arrays = arrays
        self.value = value
        self.requires_grad = requires_grad
        self.grad = grad

    def accumulator(self) -> Array:
        """The gradient array to add into; zeros at first use."""
        if self.grad is None:
            self.grad = self._arrays.empty(self.value.shape, self.value.dtype)
            self._arrays.fill(self.grad, 0.0)
        return self.grad

    def receive(self, grad: Array) -> None:
        """Take one contribution to the gradient; the first one is kept, not copied."""
        if self.grad is None:
            self.grad = grad
        else:
            self._arrays.add(self.grad, grad)


class Op(Protocol):
    """A differentiable step. `saved` is whatever the adjoint needs, and nothing else is kept alive."""

    def forward(self, *inputs: Array) -> tuple[Array, Any]:
        """The output, and what `backward` needs of the way there."""
        ...

    def backward(self, grad: Array, saved: Any, wanted: Sequence[Variable | None]) -> Sequence[Array | None]:
        """One gradient per input, dL/dx for real x and dL/dRe + i dL/dIm for complex x.

        `wanted[i]` is None where the gradient of input i is not needed. An op that scatters may add into
        `wanted[i].accumulator()` and return None for it. `grad` may be overwritten.
        """
        ...


def accumulators(wanted: Sequence[Variable | None]) -> list[Array | None]:
    """Where an op that scatters adds each input's gradient; None where it is not needed."""
    return [None if variable is None else variable.accumulator() for variable in wanted]


@dataclass(frozen=True)
class Record:
    """One applied op."""

    op: Op
    inputs: tuple[Variable, ...]
    output: Variable
    saved: Any


class Tape:
    """Records the ops applied through it; `backward` replays their adjoints in reverse.

    `arrays` makes and adds gradients: a Backend, or anything with its `empty`, `fill` and `add`.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._records: list[Record] = []

    def constant(self, value: Array) -> Variable:
        """A value without a gradient."""
        return Variable(self._arrays, value, requires_grad=False)

    def variable(self, value: Array, grad: Array | None = None) -> Variable:
        """A value whose gradient is wanted; with `grad`, it is added into that array."""
        return Variable(self._arrays, value, requires_grad=True, grad=grad)

    def apply(self, op: Op, *inputs: Variable) -> Variable:
        """The op's output for these inputs, recorded where any of them wants a gradient."""
        value, saved = op.forward(*(x.value for x in inputs))
        requires_grad = any(x.requires_grad for x in inputs)
        output = Variable(self._arrays, value, requires_grad)
        if requires_grad:
            self._records.append(Record(op, inputs, output, saved))
        return output

    def backward(self, seeds: Sequence[tuple[Variable, Any]]) -> None:
        """Propagate dL/d(output) from each (output, gradient) pair to every variable; empties the tape."""
        for output, grad in seeds:
            if output.requires_grad:
                output.receive(grad)
        # Recording order is already a topological order, so its reverse needs no sorting.
        while self._records:
            record = self._records.pop()
            if record.output.grad is None:
                continue
            wanted = tuple(x if x.requires_grad else None for x in record.inputs)
            grads = record.op.backward(record.output.grad, record.saved, wanted)
            record.output.grad = None
            for target, grad in zip(wanted, grads, strict=True):
                if target is not None and grad is not None:
                    target.receive(grad)
