"""Kernels compiled on first use and kept: in memory, and in the user's cache folder where that can be written."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

from ptycupy.backends.cache import writable_folder
from ptycupy.backends.cuda import sources
from ptycupy.backends.cuda.nvrtc import Nvrtc

logger = logging.getLogger("ptycupy.backends")

# --fmad is the default and wanted; --use_fast_math is not: it would change divisions, roots and NaNs.
OPTIONS = ("--generate-line-info",)


class Compiler:
    """Images of kernels/<op>.cu for one device architecture."""

    def __init__(self, nvrtc: Nvrtc, capability: int) -> None:
        """capability: 90 for 9.0. Raises ResourceError for a device too old for the compiler."""
        self._nvrtc = nvrtc
        self._target = nvrtc.target(capability)
        self._images: dict[tuple[str, tuple[str, ...]], bytes] = {}
        self._folder: Path | None = None
        self._looked = False

    def image(self, op: str, defines: tuple[str, ...]) -> bytes:
        """The cubin (or PTX) of one op; raises ResourceError with file and log if it does not compile."""
        key = (op, defines)
        if key not in self._images:
            self._images[key] = self._stored(op, defines)
        return self._images[key]

    def _stored(self, op: str, defines: tuple[str, ...]) -> bytes:
        text = sources.read(f"{op}.cu")
        headers = {name: sources.read(name) for name in sources.headers()}
        options = (*OPTIONS, *(f"-D{define}" for define in defines))
        inputs = [text, *headers, *headers.values(), *options, self._target, str(self._nvrtc.version)]
        digest = hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:24]
        if not self._looked:
            self._folder, self._looked = writable_folder("cuda"), True
        path = None if self._folder is None else self._folder / f"{op}-{digest}.cubin"
        if path is not None and path.is_file():
            return path.read_bytes()
        image = self._nvrtc.compile(f"{op}.cu", text, headers, self._target, options).image
        if path is not None:
            _keep(path, image)
        return image


def _keep(path: Path, image: bytes) -> None:
    """Writes atomically: another process may read or write the same file."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(image)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        logger.warning("the compiled kernel is kept in memory only: %s", error)


__all__ = ["Compiler"]
