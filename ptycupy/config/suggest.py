"""Did you mean: the nearest known name, and text that is safe to show in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

LONGEST = 60  # characters of foreign text in a message
MOST = 50  # problems listed one by one


def first_lines(problems: Sequence[str]) -> str:
    """The problems, one per line; the count of the rest where there are too many to read."""
    more = len(problems) - MOST
    return "\n".join([*problems[:MOST], *([f"... and {more} more problems"] if more > 0 else [])])


def shown(text: str) -> str:
    """Text from outside as it appears in a message: one line, printable, not too long."""
    cut = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return cut if cut.isprintable() else ascii(cut)[1:-1]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like this one, or None where nothing is near."""
    if len(name) > LONGEST:
        return None
    names = {candidate.lower(): candidate for candidate in known}
    wanted = name.lower().replace("-", "_")
    found = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
    if found:
        return names[found[0]]
    parts = [candidate for lower, candidate in names.items() if len(wanted) >= 2 and lower.startswith(wanted)]
    return parts[0] if len(parts) == 1 else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing."""
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""
