"""kernels/*.cu and their headers, read as far as it takes to type the products in them.

Every `*` between two operands is found, wherever it stands, and both are typed from the declarations around them: 32
bits, 64 bits, or something that is no place in an array (a real or complex number).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

INT, WIDE, OTHER = "int", "size_t", "other"
TYPES = {
    **dict.fromkeys(("int", "unsigned", "bool", "char", "short"), INT),
    "size_t": WIDE,
    **dict.fromkeys(("real", "complex", "complex128", "double", "float", "float16", "half_complex", "pair"), OTHER),
    **dict.fromkeys(("VALUE", "T", "void"), OTHER),
}
# Numbers of modes, variations and filter taps: products of them, and of these with a number of patterns or of lines,
# stay far below 2^31; with a number of pixels they may not. So do multiples of a number that is written out.
FEW = {"p", "terms", "taps", "variations", "probe_modes", *"23456789"}
PIXELS = {"pixels", "PIXELS", "canvas", "count"}
# Two of these stay within one window, pattern or canvas, whose pixels an int counts (launch() sees to that): sides,
# lines of at most 512 numbers, threads of a block.
IN_PLANE = {
    "height", "width", "padded_height", "padded_width", "canvas_height", "canvas_width", "box_height", "box_width",
    "THREADS", "ELEMENTS", "LENGTH", "LENGTH_", "EACH", "HOLDERS", "COUNT", "FIRST", "threadIdx.x", "holder", "place",
}  # fmt: skip
# Of few things, but of names that stand for many elsewhere: places in a block's own memory, or along one line.
ALLOWED = {
    "common.cuh": {"K * THREADS", "k * THREADS", "k * threads"},
    "detect_columns.cu": {
        "e * THREADS", "g * APART", "group * APART", "group * EXCHANGE", "groups * EXCHANGE",
        "groups * THREADS",
    },
    "reanchor.cu": {"k * THREADS"},
    "fft.cuh": {
        "e * HOLDERS", "e % APART * HOLDERS", "e % APART * HOLDERS * FIRST", "e * FIRST", "e * THREADS",
        "line * LENGTH_", "begin * COUNT", "offset * COUNT",
    },
    "wave.cuh": {
        "holder * first", "line * LENGTH_", "fresh ( number ) * LENGTH_", "EACH * t", "APART * k", "i * LENGTH_",
    },
    "multislice.cu": {"part * most", "parts * most", "a * PIXELS"},  # modes of a block
    "patterns.cuh": {"row * width"},  # of one pattern
    "transmit_rows.cu": {"int ( blockIdx.x - stack * blocks ) * count"},  # a row of one window
}  # fmt: skip
TOKEN = re.compile(
    r"[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)*|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\w*"
    r"|<<|>>|[<>=!+\-*/|&^]=|&&|\|\||\+\+|--|\S"
)
TEMPLATE = re.compile(r"\b(transform|points|turned|eighth_turn|quarter_turn|propagate\w*|Lines?|WaveLines?)<[^<>;]*>")
CLOSING = {"(": ")", "[": "]", "{": "}"}
COMPARING = {"<", ">", "<=", ">=", "==", "!=", "&&", "||"}


def offences(file: str, text: str, headers: Iterable[str]) -> list[str]:
    """Products of two ints that may be places in an array, and numbers of 64 bits that are cut to 32."""
    names = Names([*headers, text])
    found = (offence for function in functions(text) for offence in Function(function, names).offences())
    return [offence for offence in found if offence not in ALLOWED.get(file, ())]


def functions(text: str) -> list[str]:
    """The kernels, device functions and structs with functions of a source."""
    starts = [match.start() for match in re.finditer(r"^(?:KERNEL\w*|DEVICE|template)\b", text, re.MULTILINE)]
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


def tokens_of(text: str) -> list[str]:
    """Without comments, strings, arguments of templates, and what the preprocessor reads."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.MULTILINE)
    return TOKEN.findall(re.sub(r'"[^"]*"', "0", TEMPLATE.sub(r"\1", text)))


def partners(tokens: Sequence[str]) -> dict[int, int]:
    """Where each bracket has its other one."""
    found: dict[int, int] = {}
    waiting: list[int] = []
    for place, token in enumerate(tokens):
        if token in CLOSING:
            waiting.append(place)
        elif token in CLOSING.values():
            begin = waiting.pop()
            found[begin], found[place] = place, begin
    return found


def split(tokens: Sequence[str]) -> list[list[str]]:
    """The parts between commas that stand in no brackets, up to a `;` or a bracket that closes nothing."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in CLOSING) - (token in CLOSING.values())
        if depth < 0 or (token == ";" and depth == 0):
            break
        if token == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


class Names:
    """What files declare beside each other: types, the members of structs, and functions."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.types = dict.fromkeys(TYPES, "")  # or what a typedef stands for
        self.members: dict[str, dict[str, str]] = {}
        self.functions: dict[str, tuple[str, list[str]]] = {}  # what they return, and take: "" for pointers
        for text in texts:
            self._read(tokens_of(text))

    def _read(self, tokens: Sequence[str]) -> None:
        partner = partners(tokens)
        for place, token in enumerate(tokens):
            if token == "typedef":
                self.types[tokens[tokens.index(";", place) - 1]] = tokens[place + 1]
            elif token == "struct":
                begin = next(i for i in range(place, len(tokens)) if tokens[i] in ("{", ";"))
                name = tokens[begin - 1]
                self.types.setdefault(name, "")
                if tokens[begin] == "{":
                    self.members[name] = self.declared(tokens[begin + 1 : partner[begin]])
            elif token in self.types and tokens[place + 2 : place + 3] == ["("] and tokens[place + 1].isidentifier():
                taken = split(tokens[place + 3 :])
                kinds = ["" if "*" in part else next((t for t in part if t in self.types), "") for part in taken]
                self.functions.setdefault(tokens[place + 1], (token, kinds))

    def declared(self, tokens: Sequence[str]) -> dict[str, str]:
        """The types of the variables that are declared there, int where one has several; what functions return."""
        found: dict[str, str] = {}
        for place, token in enumerate(tokens):
            for part in split(tokens[place + 1 :]) if token in self.types else []:
                name = next((t for t in part if t not in ("*", "&", "const")), "")
                if name in self.types or not name.isidentifier():
                    break
                if TYPES.get(found.get(name, "")) != INT:
                    found[name] = token
        return found

    def member(self, kind: str, name: str) -> str:
        """The type of a member of a struct, under any of its names; int where it is not known."""
        while kind not in self.members and self.types.get(kind):
            kind = self.types[kind]
        return self.members.get(kind, {}).get(name, "int")


class Function:
    """One function, or a struct with its own."""

    def __init__(self, text: str, names: Names) -> None:
        self.tokens, self.names = tokens_of(text), names
        self.partner = partners(self.tokens)
        self.variables = names.declared(self.tokens)

    def offences(self) -> Iterator[str]:
        for place, token in enumerate(self.tokens):
            if token in ("*", "*=") and self._is_operand(place - 1):
                yield from self._product(place)
            elif token == "(" and self.tokens[place - 1] in self.names.functions:
                yield from self._arguments(place)
            elif token == "=" and TYPES.get(self.tokens[place - 2]) == INT:
                value = split(self.tokens[place + 1 :])[0]
                if self.type(value) == WIDE:
                    yield f"int {self.tokens[place - 1]} = {' '.join(value)}"

    def type(self, tokens: Sequence[str]) -> str:
        """Of an expression: the widest of its operands."""
        kinds, partner, place = {INT}, partners(tokens), 0
        while place < len(tokens):
            token, after = tokens[place], tokens[place + 1] if place + 1 < len(tokens) else ""
            if token == "?":
                return self.type(tokens[place + 1 :])
            if token in COMPARING and "?" not in tokens[place:]:
                return INT
            if token == "(":
                kinds.add(self.type(tokens[place + 1 : partner[place]]))
            elif re.match(r"\w", token):
                if place == 0 or tokens[place - 1] not in ("<<", ">>"):
                    kinds.add(self._operand(token, called=after == "("))
                place += after in CLOSING
            place = partner.get(place, place) + 1
        return next(kind for kind in (OTHER, WIDE, INT) if kind in kinds)

    # --- pieces -----------------------------------------------------------------------------------------------
    def _operand(self, name: str, called: bool) -> str:
        """Of a number, a variable, an element of an array or a call; what is not known is an int."""
        if name[0].isdigit():
            return OTHER if re.match(r"\d+(\.|[eE][+-]?\d|f$)", name) else INT
        first, *members = re.split(r"\.|->|::", name)
        if called and not members and first not in self.names.types:
            kind = self.names.functions.get(first, ("real", []))[0]  # or one of the mathematical library
        else:
            kind = self.variables.get(first, first)
        for member in members:
            kind = self.names.member(kind, member)
        return TYPES.get(kind, INT)

    def _is_operand(self, place: int) -> bool:
        """Whether an operand may end there: otherwise what follows is a pointer's star, or a sign."""
        token = self.tokens[place]
        return token in (")", "]") or (
            bool(re.match(r"\w", token)) and token not in {*self.names.types, "return", "operator"}
        )

    def _begin(self, place: int) -> int:
        """Where the operand begins that ends at a place."""
        while self.tokens[place] in (")", "]"):
            place = self.partner[place]
            if not re.match(r"\w|\)|\]", self.tokens[place - 1]) or self.tokens[place - 1] == "return":
                return place
            place -= 1
        return place

    def _end(self, place: int) -> int:
        """Behind the operand that begins at a place."""
        while self.tokens[place] in ("-", "!", "~"):
            place += 1
        if self.tokens[place] not in CLOSING:
            place += 1
        while self.tokens[place] in CLOSING:
            place = self.partner[place] + 1
        return place

    def _product(self, place: int) -> Iterator[str]:
        begin = self._begin(place - 1)
        while self.tokens[begin - 1] in ("*", "/", "%") and self._is_operand(begin - 2):
            begin = self._begin(begin - 2)
        if self.tokens[begin - 1] == "-" and self._is_operand(begin - 2):
            return  # what is left of a quotient is smaller than what it is taken from
        parts = self.tokens[begin:place], self.tokens[place + 1 : self._end(place + 1)]
        narrow = all(self.type(part) == INT for part in parts)
        ends = {re.split(r"\.|->|::", part[0])[-1] for part in parts if len(part) == 1}
        few = ends & FEW and not ends & PIXELS
        if narrow and not few and not all(map(in_plane, parts)):
            yield " ".join([*parts[0], "*", *parts[1]])

    def _arguments(self, place: int) -> Iterator[str]:
        name = self.tokens[place - 1]
        for given, wanted in zip(split(self.tokens[place + 1 :]), self.names.functions[name][1], strict=False):
            if TYPES.get(wanted) == INT and self.type(given) == WIDE:
                yield f"{name}(int = {' '.join(given)})"


def in_plane(tokens: Sequence[str]) -> bool:
    """Whether it is a place in a plane, sizes of it, or a rest `a - b * c`."""
    if tokens[-1] == ")" and tokens[0] in ("(", "int"):
        inner = tokens[tokens.index("(") + 1 : -1]
        rest = "-" in inner and "*" in inner[inner.index("-") :]
        return rest or all(in_plane([token]) for token in inner if re.match(r"[A-Za-z]", token))
    return tokens[0] in IN_PLANE or re.split(r"\.|->|::", tokens[0])[-1] in IN_PLANE
