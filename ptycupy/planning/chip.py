"""What of a GPU decides which way waves take through the slices."""

from __future__ import annotations

from typing import NamedTuple


class Chip(NamedTuple):
    """As a Device has them."""

    shared_memory: int  # bytes that a block may have, static and dynamic
    multiprocessors: int


USUAL = Chip(227 * 1024, 132)  # of an H100, where nothing is known of the card

__all__ = ["USUAL", "Chip"]
