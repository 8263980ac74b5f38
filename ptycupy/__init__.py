"""ptycupy: electron and X-ray ptychography as a kernel-level engine."""

__version__ = "0.1.0"
