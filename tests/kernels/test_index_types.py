"""FAULTS row 42, by reading: no kernel multiplies two ints to find a place in an array.

Every subscript of kernels/*.cu is typed as C++ types it. A product of two ints may overflow, unless what it counts is
known to be small: the pixels of one wave, a matrix over modes or variations, pairs of numbers.
"""

from __future__ import annotations

import re

import pytest

from ptycupy.backends.cuda import sources

INT, WIDE = "int", "size_t"
# Functions and members of common.cuh, and counts that launch() hands over as size_t.
KNOWN = {
    "element": WIDE, "divide": WIDE, "canvas_offset": WIDE, "size_t": WIDE, "int": INT, "unsigned": INT,
    "at.row": INT, "at.column": INT, "at.first": WIDE, "at.stride": WIDE, "threadIdx.x": INT, "blockIdx.x": INT,
}  # fmt: skip
# Products of these stay far below 2^31: numbers of modes, variations and filter taps, threads
# and lines of a block.
FEW = {"p", "terms", "taps", "variations", "probe_modes", "THREADS", "Columns"}
TOKEN = re.compile(r"\s*([A-Za-z_][\w.]*|\d+\w*|->|==|<<|>>|.)")
# Sizes and places within one window, pattern or canvas, whose pixels an int counts: launch() sees to that.
IN_PLANE = {"height", "width", "padded_height", "padded_width", "columns.place"}
DECLARED = re.compile(r"(?<![\w.<(])(?:const\s+)?(int|unsigned|size_t)\s+(?=(\w[^;{}]*))")


class Typed:
    """A recursive-descent reading of one subscript; `offences` are the products of two ints in it."""

    def __init__(self, text: str, names: dict[str, str]) -> None:
        self.tokens = [match[1] for match in TOKEN.finditer(text) if match[1].strip()]
        self.at, self.names, self.offences = 0, names, []
        self.type, _ = self.sum()

    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self) -> tuple[str, str]:
        kind, text = self.product()
        while self.next() in ("+", "-"):
            sign, before = self.take(), len(self.offences)
            other, right = self.product()
            if sign == "-":  # what is left of a quotient: smaller than what it is taken from
                del self.offences[before:]
            kind, text = (WIDE if WIDE in (kind, other) else INT), f"{text} {sign} {right}"
        return kind, text

    def product(self) -> tuple[str, str]:
        kind, text = self.atom()
        while self.next() in ("*", "/", "%"):
            sign = self.take()
            other, right = self.atom()
            if (
                sign == "*"
                and INT == kind == other
                and not {text, right} & FEW
                and not {text, right} <= IN_PLANE
                and text not in "0123456789"
            ):
                self.offences.append(f"{text} * {right}")
            kind, text = (WIDE if WIDE in (kind, other) else INT), f"{text} {sign} {right}"
        return kind, text

    def atom(self) -> tuple[str, str]:
        token = self.take()
        if token in ("-", "!", "~"):
            return self.atom()
        if token == "(":
            kind, text = self.sum()
            assert self.take() == ")"
            return kind, f"({text})"
        if self.next() in ("(", "["):
            closing = {"(": ")", "[": "]"}[self.take()]
            while self.next() != closing:  # each argument is an expression of its own
                self.sum()
                if self.next() == ",":
                    self.take()
            self.take()
            return KNOWN.get(token, INT), token
        return self.names.get(token, KNOWN.get(token, INT)), token


def functions(text: str) -> list[str]:
    """The kernels and device functions of a source, with their signatures; comments removed."""
    text = re.sub(r"//[^\n]*", "", text)
    starts = [match.start() for match in re.finditer(r"^(?:KERNEL\w*|DEVICE|template)\b", text, re.MULTILINE)]
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def subscripts(text: str) -> list[str]:
    """What stands in square brackets, outermost ones; inner ones are part of them."""
    found, depth, start = [], 0, 0
    for place, character in enumerate(text):
        if character == "[":
            depth, start = depth + 1, start if depth else place + 1
        elif character == "]":
            depth -= 1
            if depth == 0:
                found.append(text[start:place])
    return found


def split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets; a bracket that closes nothing ends it."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if depth < 0:
            break
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def declarations(function: str) -> list[tuple[str, str, str]]:
    """(type, name, initial value or nothing) of the integers that a function declares."""
    found = []
    for kind, rest in DECLARED.findall(function):
        for part in split(rest):
            name = re.match(r"\s*(\w+)\s*(?:[+*/-]?=(.*))?$", part, re.DOTALL)
            if name:
                found.append((kind, name[1], name[2] or ""))
    return found


def offences(text: str) -> list[str]:
    """Products of ints in subscripts, and in ints that may become one."""
    found = []
    for function in functions(text):
        declared = declarations(function)
        names = {name: INT for _, name, _ in declared} | {name: WIDE for kind, name, _ in declared if kind == WIDE}
        expressions = [*subscripts(function), *(value for _, _, value in declared if value)]
        for expression in expressions:
            if not set('?<>=&"{') & set(expression):
                found += Typed(expression, names).offences
    return found


@pytest.mark.parametrize("op", sources.ops())
def test_fault_42_no_product_of_ints_is_a_place_in_an_array(op: str) -> None:
    assert offences(sources.read(f"{op}.cu")) == []


def test_such_a_product_is_seen() -> None:
    text = sources.read("transmit.cu")
    assert offences(text) == []
    narrow = text.replace("(size_t(at.row) * probe_modes + p) * pixels", "(at.row * probe_modes + p) * pixels")
    assert set(offences(narrow)) == {"(at.row * probe_modes + p) * pixels"}
    assert offences(sources.read("axis_filter.cu").replace("size_t", "int")) != []
