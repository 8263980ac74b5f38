"""The errors of ptycupy; each carries the exit code that the command line returns."""

from __future__ import annotations


class PtycupyError(Exception):
    """Base of every error that ptycupy raises on purpose; `exit_code` is what the command returns."""

    exit_code = 1
    told = False  # whether another process tells the user already


class ConfigError(PtycupyError):
    """A configuration or a call that cannot be meant: unknown key, wrong type, impossible value."""

    exit_code = 2


class DataError(PtycupyError):
    """Input data that are missing, damaged or do not fit what was asked for."""

    exit_code = 3


class ResourceError(PtycupyError):
    """Memory, disk or a requested device is not there."""

    exit_code = 4


class MemoryShortage(ResourceError):
    """A device has less memory than was asked for: smaller parts may fit."""


class NotRecordable(PtycupyError):
    """Work that a device cannot record to launch it again, because it waits for the device or needs the host."""


class DivergenceError(PtycupyError):
    """The reconstruction produced values that are not finite, or its loss exploded."""

    exit_code = 5
