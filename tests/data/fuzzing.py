"""What damaged files may do: give values or a DataError, soon. Every fuzz test goes through `attempt`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ptycupy.config.schema import Data
from ptycupy.data import describe, load_mask, open_source, read_array, read_attributes
from ptycupy.errors import DataError

SECONDS = 5.0  # of the processor, within which every reading has ended
WAITED = 60.0  # seconds by the clock, which a machine with other work may need


def outcome(read: Callable[[], Any]) -> Any:
    """What `read` gives, or None after a DataError; every other exception passes, and slowness fails."""
    begin, busy = time.monotonic(), time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about damaged input
            return read()
    except DataError:
        return None
    finally:
        busy, waited = time.process_time() - busy, time.monotonic() - begin
        assert busy < SECONDS, f"a damaged file kept its reader busy for {busy:.1f} s"
        assert waited < WAITED, f"a damaged file kept its reader waiting for {waited:.1f} s"


def attempt(path: Path, **config: Any) -> Any:
    """Gives a file to everything that reads files; the last and the first of its patterns, or None."""
    mask = path.with_name("patterns.npy")
    np.save(mask, np.arange(48, dtype=np.uint16).reshape(3, 4, 4))
    for read in (describe, read_array, read_attributes):
        outcome(lambda read=read: read(path))
    outcome(lambda: load_mask(Data(path=str(mask), mask_path=str(path))))
    return outcome(lambda: ends(path, **config))


def ends(path: Path, **config: Any) -> Any:
    source = open_source(Data(path=str(path), **config))
    return source.read([source.shape[0] - 1, 0])


def parts(path: Path, rng: np.random.Generator) -> list[Path]:
    """The file itself and one drawn of those that lie in its folder beside or below it."""
    others = sorted(file for file in path.parent.rglob("*") if file.is_file() and file != path)
    return [path] * path.is_file() + ([others[int(rng.integers(len(others)))]] if others else [])


def flip(content: bytes, rng: np.random.Generator, bits: int = 4) -> bytes:
    """One to `bits` bytes drawn anew, anywhere."""
    damaged = bytearray(content)
    for place in rng.integers(len(content), size=int(rng.integers(1, bits + 1))):
        damaged[place] = int(rng.integers(256))
    return bytes(damaged)


def enlarge(content: bytes, rng: np.random.Generator, header: int = 2048) -> bytes:
    """A number of 2, 4 or 8 bytes in the header made as large as it can be."""
    size = int(rng.choice((2, 4, 8)))
    place = int(rng.integers(max(1, min(header, len(content)) // size))) * size
    largest = (b"\x7f" if rng.integers(2) else b"\xff") + b"\xff" * (size - 1)
    number = largest if rng.integers(2) else largest[::-1]
    return (content[:place] + number + content[place + size :])[: len(content)]


def cuts(content: bytes, rng: np.random.Generator, count: int) -> Iterable[bytes]:
    """The content cut off: nothing left, one byte missing, and at drawn places."""
    for left in (0, len(content) - 1, *rng.integers(len(content), size=count - 2).tolist()):
        yield content[: max(left, 0)]
