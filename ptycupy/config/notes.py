"""What a translated configuration does differently from the program that it was written for."""

from __future__ import annotations

from typing import NamedTuple


class Note(NamedTuple):
    """An option and what becomes of it here."""

    key: str  # as the other program writes it: init_params.probe_permute
    effect: str
    unsupported: bool = False  # the option is without an equivalent, and its absence changes the result

    def __str__(self) -> str:
        return f"{self.key}: {self.effect}"
