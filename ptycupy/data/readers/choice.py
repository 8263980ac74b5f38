"""Which array of a file that holds several: the one named, or the only one that fits; else all are listed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ptycupy.errors import DataError

LISTED = 30


@dataclass(frozen=True)
class ArrayInfo:
    """What a file says about one of its arrays without reading it."""

    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None  # None: a type that NumPy does not know

    @property
    def is_numeric(self) -> bool:
        return self.dtype is not None and self.dtype.kind in "biufc"

    @property
    def layout(self) -> str:
        """How it is stored, for people; empty where there is nothing to say."""
        return ""

    def __str__(self) -> str:
        return f"{self.key} {self.shape} {'unknown type' if self.dtype is None else self.dtype}"


Info = TypeVar("Info", bound=ArrayInfo)


def choose(path: Path, infos: Sequence[Info], key: str | None, purpose: str) -> Info:
    """The array under `key`, or the only one that fits `purpose`: "patterns" are real and 3-D or 4-D."""
    return only_candidate(path, infos, purpose) if key is None else named(path, infos, key)


def named(path: Path, infos: Sequence[Info], key: str) -> Info:
    """The array called `key`; DataError with the nearest name and all of them."""
    for info in infos:
        if info.key == key.strip("/"):
            return info
    raise unknown_key(path, infos, key)


def unknown_key(path: Path, infos: Sequence[ArrayInfo], key: str) -> DataError:
    """The error for a key that is not there."""
    near = difflib.get_close_matches(key, [info.key for info in infos], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return DataError(f"{path}: no dataset {key!r}{hint} {listing(infos)}")


def only_candidate(path: Path, infos: Sequence[Info], purpose: str) -> Info:
    """The only array that fits; DataError with all of them where there are several or none."""
    if purpose == "patterns":
        fits = [info for info in infos if len(info.shape) in (3, 4) and info.is_numeric]
        real = [info for info in fits if info.dtype is not None and info.dtype.kind != "c"]
        fits, what = real or fits, "3-D or 4-D dataset of numbers"
    else:
        fits, what = [info for info in infos if info.is_numeric and info.shape], "dataset of numbers"
    if len(fits) == 1:
        return fits[0]
    problem = f"{len(fits)} datasets could be meant, name one with `key`" if fits else f"no {what}; name one with `key`"
    keys = " (data.key)" if purpose == "patterns" else " beside the file's `path`"
    raise DataError(f"{path}: {problem}{keys}. {listing(fits or infos)}")


def listing(infos: Sequence[ArrayInfo]) -> str:
    """The arrays of a file, one a line, for messages."""
    lines = "".join(f"\n  {info}" for info in infos[:LISTED])
    more = f"\n  and {len(infos) - LISTED} more" if len(infos) > LISTED else ""
    return f"It holds:{lines}{more}" if infos else "It holds no dataset at all."
