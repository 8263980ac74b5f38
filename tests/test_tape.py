"""The tape: order, accumulation, constants and fan-out, on plain NumPy ops."""

from __future__ import annotations

import numpy as np
import pytest

import ptycupy
from ptycupy.errors import PtycupyError
from ptycupy.gradient_check import NumpyArrays
from ptycupy.tape import Tape


class Multiply:
    def forward(self, a, b):
        return a * b, (a, b)

    def backward(self, grad, saved, wanted):
        a, b = saved
        return np.conj(b) * grad, np.conj(a) * grad


class Square:
    def forward(self, a):
        return np.abs(a) ** 2, a

    def backward(self, grad, saved, wanted):
        return (2 * grad * saved,)


class WrongSquare(Square):
    def backward(self, grad, saved, wanted):
        return (grad * saved,)


class InPlaceSum:
    """Scatters into the accumulator instead of returning a gradient."""

    def forward(self, a):
        return np.atleast_1d(a.sum()), a.shape

    def backward(self, grad, saved, wanted):
        wanted[0].accumulator()[...] += grad
        return (None,)


def test_gradients_of_a_product_used_twice_add_up():
    tape = Tape(NumpyArrays())
    a, b = tape.variable(np.array([2.0, 3.0])), tape.variable(np.array([5.0, 7.0]))
    product = tape.apply(Multiply(), a, b)
    total = tape.apply(InPlaceSum(), tape.apply(Multiply(), product, a))  # sum a^2 b
    tape.backward([(total, 1.0)])
    np.testing.assert_allclose(a.grad, 2 * a.value * b.value)
    np.testing.assert_allclose(b.grad, a.value**2)


def test_several_seeds_add_up_and_constants_get_nothing():
    tape = Tape(NumpyArrays())
    a, c = tape.variable(np.array([2.0])), tape.constant(np.array([4.0]))
    x, y = tape.apply(Multiply(), a, c), tape.apply(Square(), a)
    tape.backward([(x, np.array([1.0])), (y, np.array([10.0]))])
    np.testing.assert_allclose(a.grad, [4.0 + 10 * 2 * 2.0])
    assert c.grad is None


def test_gradient_is_added_into_a_given_buffer():
    tape = Tape(NumpyArrays())
    buffer = np.array([100.0])
    a = tape.variable(np.array([3.0]), buffer)
    tape.backward([(tape.apply(Square(), a), np.array([1.0]))])
    np.testing.assert_allclose(buffer, [106.0])


def test_nothing_is_recorded_without_variables():
    tape = Tape(NumpyArrays())
    out = tape.apply(Square(), tape.constant(np.array([3.0])))
    tape.backward([(out, np.array([1.0]))])
    assert not out.requires_grad
    assert out.grad is None


def test_check_gradient_accepts_right_and_names_wrong_adjoints():
    z = np.array([1.0 + 2j, -0.5 + 1j, 3.0])
    assert max(ptycupy.check_gradient(Square(), z, dtype="float64")) < 1e-6
    assert max(ptycupy.check_gradient(Multiply(), z, z[::-1], dtype="float64")) < 1e-6
    with pytest.raises(PtycupyError, match="WrongSquare: gradient of input 0"):
        ptycupy.check_gradient(WrongSquare(), z, dtype="float64")
    with pytest.raises(PtycupyError, match="WrongSquare"):
        ptycupy.check_gradient(WrongSquare(), z, dtype="float32")
