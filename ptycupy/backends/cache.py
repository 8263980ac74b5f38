"""Where compiled code is kept between runs."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

logger = logging.getLogger("ptycupy.backends")


def user_cache() -> Path:
    """The user's cache folder for ptycupy; the variable PTYCUPY_CACHE_DIR overrides the platform's place.

    Raises RuntimeError where the user has no home folder.
    """
    chosen = os.environ.get("PTYCUPY_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "ptycupy" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ptycupy"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ptycupy"


def package_version(name: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def digest(sources: Iterable[Path], versions: Iterable[str]) -> str:
    """A short hash of source files (names and contents) and of the versions that compile them."""
    total = hashlib.sha256()
    for source in sorted(sources):
        total.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    total.update("\0".join(versions).encode())
    return total.hexdigest()[:16]


def writable_folder(name: str) -> Path | None:
    """The folder `name` in the user's cache, made if need be; None (and one warning) where it cannot be written."""
    try:
        folder = user_cache() / name
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError) as reason:
        logger.warning("compiled code is kept in memory only, the cache folder cannot be written: %s", reason)
        return None
    return folder


__all__ = ["digest", "user_cache", "writable_folder"]
