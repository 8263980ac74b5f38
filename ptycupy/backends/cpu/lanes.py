"""Eight complex numbers at a time, in LLVM's own vectors: LLVM does not vectorise loops over arrays that may overlap.

Code is written once, here in Python while Numba compiles, for every processor that LLVM knows: it splits the vectors
where the registers are shorter. Between transforms waves are kept as `planar` rows: eight real parts, then the eight
imaginary parts of the same columns, and so on, so that no step has to take pairs apart.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from numba.core import cgutils as numba_cgutils
from numba.core import types
from numba.extending import intrinsic

ir: Any = importlib.import_module("llvmlite.ir")  # has no types
LANES = 8
_cgutils: Any = numba_cgutils  # has no types
CONTRACT = ("contract",)  # a product and a sum may be one instruction, as everywhere else in the CPU backend
_INDEX, _LANE = ir.IntType(64), ir.IntType(32)


@dataclass(frozen=True)
class Lanes:
    """LANES complex numbers, as two vectors of LLVM."""

    build: Any  # llvmlite's IRBuilder
    re: Any
    im: Any

    def __add__(self, other: Lanes) -> Lanes:
        return Lanes(self.build, self._add(self.re, other.re), self._add(self.im, other.im))

    def __sub__(self, other: Lanes) -> Lanes:
        return Lanes(self.build, self._subtract(self.re, other.re), self._subtract(self.im, other.im))

    def __mul__(self, other: Lanes) -> Lanes:
        real = self._subtract(self._multiply(self.re, other.re), self._multiply(self.im, other.im))
        return Lanes(self.build, real, self._add(self._multiply(self.re, other.im), self._multiply(self.im, other.re)))

    def conjugate_times(self, other: Lanes) -> Lanes:
        """conj(self) * other"""
        real = self._add(self._multiply(self.re, other.re), self._multiply(self.im, other.im))
        imaginary = self._subtract(self._multiply(self.re, other.im), self._multiply(self.im, other.re))
        return Lanes(self.build, real, imaginary)

    def scaled(self, factor: Any) -> Lanes:
        """Times a vector of reals."""
        return Lanes(self.build, self._multiply(self.re, factor), self._multiply(self.im, factor))

    def where(self, condition: Any) -> Lanes:
        """The same, or zeros."""
        zero = ir.Constant(self.re.type, None)
        return Lanes(self.build, *(self.build.select(condition, part, zero) for part in (self.re, self.im)))

    def power(self) -> Any:
        """The vector of |self|^2."""
        return self._add(self._multiply(self.re, self.re), self._multiply(self.im, self.im))

    def turned(self, turns: float) -> Lanes:
        """exp(2 pi i turns) * self, without the multiplications that are none."""
        quarter, eighth = 4 * turns % 4, 8 * turns % 8
        if quarter == 0:
            return self
        if quarter == 2:
            return Lanes(self.build, self.build.fneg(self.re), self.build.fneg(self.im))
        if quarter in (1, 3):
            return self._quarter(int(quarter))
        if eighth == int(eighth):
            root = self._constant(math.sqrt(0.5))
            mixed = Lanes(self.build, self._subtract(self.re, self.im), self._add(self.re, self.im))
            return mixed.scaled(root).turned((int(eighth) - 1) / 8)
        cosine, sine = (self._constant(f(2 * math.pi * turns)) for f in (math.cos, math.sin))
        return Lanes(self.build, cosine, sine) * self

    def _quarter(self, quarters: int) -> Lanes:
        if quarters == 1:
            return Lanes(self.build, self.build.fneg(self.im), self.re)
        return Lanes(self.build, self.im, self.build.fneg(self.re))

    def _constant(self, value: float) -> Any:
        return ir.Constant(self.re.type, [value] * LANES)

    def _add(self, a: Any, b: Any) -> Any:
        return self.build.fadd(a, b, flags=CONTRACT)

    def _subtract(self, a: Any, b: Any) -> Any:
        return self.build.fsub(a, b, flags=CONTRACT)

    def _multiply(self, a: Any, b: Any) -> Any:
        return self.build.fmul(a, b, flags=CONTRACT)


@dataclass(frozen=True)
class Memory:
    """Loads, stores and loops; offsets count reals and may be Python's or LLVM's integers."""

    build: Any
    real: Any  # LLVM's float or double

    def index(self, value: Any) -> Any:
        return ir.Constant(_INDEX, value) if isinstance(value, int) else value

    def at(self, *terms: Any) -> Any:
        """The sum of terms; a pair (index, factor) is a product."""
        total = self.index(0)
        for term in terms:
            part = self.build.mul(*map(self.index, term)) if isinstance(term, tuple) else self.index(term)
            total = self.build.add(total, part)
        return total

    @contextmanager
    def loop(self, count: Any) -> Iterator[Any]:
        """`with memory.loop(n) as index:`, which runs from 0."""
        with _cgutils.for_range(self.build, self.index(count)) as loop:
            yield loop.index

    def carried(self, count: Any, values: Sequence[Any], step: Callable[[Any, list[Any]], Sequence[Any]]) -> list[Any]:
        """`values` after step(index, values) -> values for each index."""
        places = [_cgutils.alloca_once(self.build, value.type) for value in values]

        def put(found: Sequence[Any]) -> None:
            for place, value in zip(places, found, strict=True):
                self.build.store(value, place)

        put(values)
        with self.loop(count) as index:
            put(step(index, [self.build.load(place) for place in places]))
        return [self.build.load(place) for place in places]

    def zeros(self) -> Any:
        """A vector of reals."""
        return ir.Constant(ir.VectorType(self.real, LANES), None)

    def sum(self, count: Any, term: Callable[[Any], Lanes]) -> Lanes:
        """term(0) + term(1) + ..."""

        def add(index: Any, total: list[Any]) -> tuple[Any, Any]:
            more = Lanes(self.build, *total) + term(index)
            return more.re, more.im

        return Lanes(self.build, *self.carried(count, (self.zeros(), self.zeros()), add))

    def across(self, vector: Any) -> Any:
        """The sum of a vector's numbers."""
        parts = [self.build.extract_element(vector, ir.Constant(_LANE, lane)) for lane in range(LANES)]
        return functools.reduce(self.build.fadd, parts)

    def double(self) -> Memory:
        """The same for arrays of doubles."""
        return Memory(self.build, ir.DoubleType())

    def widened(self, vector: Any) -> Any:
        """A vector of another precision, in this one or a better one than its own."""
        target = ir.VectorType(self.real, LANES)
        return vector if vector.type == target else self.build.fpext(vector, target)

    def load(self, pointer: Any, offset: Any) -> Lanes:
        """From a planar row."""
        return Lanes(self.build, self.reals(pointer, offset), self.reals(pointer, self.at(offset, LANES)))

    def store(self, pointer: Any, offset: Any, value: Lanes) -> None:
        self.store_reals(pointer, offset, value.re)
        self.store_reals(pointer, self.at(offset, LANES), value.im)

    def load_pairs(self, pointer: Any, offset: Any) -> Lanes:
        """From an array of complex numbers as everyone has them."""
        pairs = self.build.load(self._vector_at(pointer, offset, 2 * LANES), align=_alignment(self.real))
        return Lanes(self.build, *(shuffle(self.build, pairs, pairs, range(i, 2 * LANES, 2)) for i in (0, 1)))

    def store_pairs(self, pointer: Any, offset: Any, value: Lanes) -> None:
        pairs = shuffle(self.build, value.re, value.im, [i // 2 + i % 2 * LANES for i in range(2 * LANES)])
        self.build.store(pairs, self._vector_at(pointer, offset, 2 * LANES), align=_alignment(self.real))

    def reals(self, pointer: Any, offset: Any) -> Any:
        return self.build.load(self._vector_at(pointer, offset, LANES), align=_alignment(self.real))

    def store_reals(self, pointer: Any, offset: Any, value: Any) -> None:
        self.build.store(value, self._vector_at(pointer, offset, LANES), align=_alignment(self.real))

    def everywhere(self, number: Any) -> Any:
        """A vector of one number, an LLVM value."""
        undefined = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
        return shuffle(
            self.build, self.build.insert_element(undefined, number, ir.Constant(_LANE, 0)), undefined, [0] * LANES
        )

    def broadcast(self, pointer: Any, offset: Any) -> Lanes:
        """One complex number, LANES times."""
        parts = (self.build.load(self.build.gep(pointer, [self.at(offset, i)])) for i in (0, 1))
        return Lanes(self.build, *map(self.everywhere, parts))

    def constants(self, values: Sequence[float]) -> Any:
        """A pointer to these numbers."""
        table = ir.Constant(ir.ArrayType(self.real, len(values)), [ir.Constant(self.real, v) for v in values])
        variable = _cgutils.global_constant(self.build, "table", table)
        return self.build.bitcast(variable, ir.PointerType(self.real))

    def lanes(self, values: Sequence[complex]) -> Lanes:
        """LANES constant complex numbers."""
        vector = ir.VectorType(self.real, LANES)
        return Lanes(
            self.build, *(ir.Constant(vector, [getattr(v, part) for v in values]) for part in ("real", "imag"))
        )

    def scratch(self, count: int) -> Any:
        """A pointer to `count` reals on the stack."""
        return _cgutils.alloca_once(self.build, self.real, size=count)

    def _vector_at(self, pointer: Any, offset: Any, length: int) -> Any:
        place = self.build.gep(pointer, [self.index(offset)])
        return self.build.bitcast(place, ir.PointerType(ir.VectorType(self.real, length)))


@dataclass(frozen=True)
class Planar:
    """A planar wave, rows and blocks of columns so many reals apart: places are a row and a block."""

    memory: Memory
    pointer: Any
    start: Any
    stride: Any
    apart: Any = 2 * LANES

    def place(self, y: Any, block: Any) -> Any:
        return self.memory.at(self.start, (y, self.stride), (block, self.apart))

    def load(self, y: Any, block: Any) -> Lanes:
        return self.memory.load(self.pointer, self.place(y, block))

    def store(self, y: Any, block: Any, value: Lanes) -> None:
        self.memory.store(self.pointer, self.place(y, block), value)


def columnar(memory: Memory, pointer: Any, start: Any, height: int) -> Planar:
    """A wave whose blocks of columns lie one behind the other, each dense, as steps of columns go through them."""
    return Planar(memory, pointer, start, 2 * LANES, 2 * LANES * height)


def _alignment(real: Any) -> int:
    return 8 if isinstance(real, ir.DoubleType) else 4


def shuffle(build: Any, a: Any, b: Any, places: Sequence[int]) -> Any:
    """The vector of these places of a, then b."""
    return build.shuffle_vector(a, b, ir.Constant(ir.VectorType(_LANE, len(places)), list(places)))


def emitted(write: Callable[..., None]) -> Any:
    """A function for compiled code whose body `write(memory, *arguments)` emits.

    Arrays, all of one precision, arrive as pointers to their reals, numbers as LLVM's. A tuple of k integers stands
    for the constant 2^k: its length is part of its type, and so known while the body is written.
    """

    def typed(typing: Any, *arguments: Any) -> Any:
        return types.void(*arguments), generate

    def generate(context: Any, build: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        dtype = signature.args[0].dtype
        single = getattr(dtype, "underlying_float", dtype) == types.float32
        memory = Memory(build, ir.FloatType() if single else ir.DoubleType())
        given = []
        for kind, value in zip(signature.args, arguments, strict=True):
            if isinstance(kind, types.Array):
                data = context.make_array(kind)(context, build, value).data
                given.append(build.bitcast(data, ir.PointerType(memory.real)))
            elif isinstance(kind, types.UniTuple):
                given.append(2**kind.count)
            else:
                given.append(value)
        write(memory, *given)
        return context.get_dummy_value()

    names = list(inspect.signature(write).parameters)[1:]
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("typing", *names)]
    vars(typed)["__signature__"] = inspect.Signature(parameters)  # Numba does not call functions of any arguments
    return intrinsic(typed)


__all__ = ["LANES", "Lanes", "Memory", "Planar", "columnar", "emitted", "shuffle"]
