"""The CUDA backend: kernels of kernels/, cuFFT and CuPy, which nothing outside this package imports."""

from ptycupy.backends.cuda.backend import CudaBackend
from ptycupy.backends.cuda.device import Device
from ptycupy.backends.cuda.devices import count_devices, open_device

__all__ = ["CudaBackend", "Device", "count_devices", "open_device"]
