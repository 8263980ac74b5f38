"""PNGs for a page of a browser: pixels alone, to which the page adds scale bars and rings."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 1600  # px of a side


def grey_png(image: NDArray[Any], limits: tuple[float, float]) -> bytes:
    """A grey image [y, x] between two values."""
    return _png(_bytes(image, limits))


def heat_png(image: NDArray[Any], limits: tuple[float, float]) -> bytes:
    """An image [y, x] between two values, in matplotlib's inferno."""
    from matplotlib import colormaps

    table = (255 * colormaps["inferno"](np.linspace(0, 1, 256))[:, :3]).round().astype(np.uint8)
    return _png(table[_bytes(image, limits)])


def colour_png(image: NDArray[Any]) -> bytes:
    """An image [y, x, 3] of values from 0 to 1."""
    return _png(_bytes(image, (0.0, 1.0)))


def _bytes(image: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = limits
    scaled = np.nan_to_num((np.asarray(image, np.float32) - low) * (255 / max(high - low, 1e-30)))
    pixels: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return pixels


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(pixels)
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    encoded = io.BytesIO()
    picture.save(encoded, "png", compress_level=1)
    return encoded.getvalue()
