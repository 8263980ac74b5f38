"""PtyRAD 1.0.0 with ptycupy inside: `patch`, for as long as a block of code runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ptycupy.errors import ConfigError

VERSIONS = ("1.0.0",)
LEVELS = (1, 2, 3)
_open = threading.Lock()


class UnknownVersion(ConfigError):
    """A PtyRAD that `patch` has not been tested with."""


class NestedPatch(ConfigError):
    """A patch within a patch."""


@contextmanager
def patch(level: int = 2) -> Iterator[None]:
    """While open, PtyRAD computes with ptycupy, in all threads; at the end everything is as it was, after errors too.

    level 1: its function `multislice_forward`. 2: the whole forward of its PtychoModel, from object and probe to the
    patterns. 3: loss and gradients of a batch in one pass besides, and the steps of Adam; its loop, constraints,
    schedules, records and files remain its own at every level.

    Raises ConfigError for another level, UnknownVersion for another PtyRAD than 1.0.0, NestedPatch where one is open.
    """
    if level not in LEVELS:
        raise ConfigError(
            f"patch: level {level!r} must be 1 (forward function), 2 (model) or 3 (loss, gradients, Adam)"
        )
    import ptyrad

    found = getattr(ptyrad, "__version__", "unknown")
    if found not in VERSIONS:
        raise UnknownVersion(
            f"patch: PtyRAD {found} is not known, only {', '.join(VERSIONS)}: pip install ptyrad==1.0.0"
        )
    if not _open.acquire(blocking=False):
        raise NestedPatch("patch: PtyRAD is patched already; leave that block before another one is entered")
    try:
        from ptycupy.integrations.ptyrad.levels import replacements

        before: list[tuple[Any, str, Any]] = []
        try:
            for owner, name, new in replacements(level):
                before.append((owner, name, vars(owner)[name]))
                setattr(owner, name, new)
            yield
        finally:
            for owner, name, old in reversed(before):
                setattr(owner, name, old)
    finally:
        _open.release()


__all__ = ["NestedPatch", "UnknownVersion", "patch"]
