"""What all figures share: a Figure without pyplot (so without global state), images in real units, robust limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.outputs.scalebar import add_scalebar

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

DPI = 130
DPI_OF_MANY = 100  # for many panels
LARGEST = 1_000_000  # bytes of a picture


def new_figure(width: float, height: float, dpi: int = DPI) -> Figure:
    """An empty figure of this size in inches, drawn by Agg."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def notebook_axes() -> Axes:
    """The axes of a new figure of pyplot, which notebooks show by themselves."""
    from matplotlib import pyplot

    axes: Axes = pyplot.subplots(layout="constrained")[1]
    return axes


def save_png(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG: 8 bit grey where it has no colours, and 256 colours where it would exceed 1 MB."""
    path.write_bytes(figure_png(figure))


def figure_png(figure: Figure) -> bytes:
    """What `save_png` writes."""
    import io

    from PIL import Image

    canvas: Any = figure.canvas
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    picture = Image.fromarray(pixels)
    if (pixels == pixels[..., :1]).all():
        picture = picture.convert("L")
    encoded = io.BytesIO()
    density = (figure.dpi, figure.dpi)
    picture.save(encoded, "png", dpi=density)
    if encoded.tell() > LARGEST and picture.mode == "RGB":
        encoded = io.BytesIO()
        picture.quantize(256, dither=Image.Dither.NONE).save(encoded, "png", dpi=density)
    return encoded.getvalue()


def robust_limits(values: NDArray[Any]) -> tuple[float, float]:
    """0.1 and 99.9 % percentile of the finite values, never equal."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(finite, (0.1, 99.9)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def show_image(
    axes: Axes,
    image: NDArray[Any],
    step: tuple[float, float] = (1.0, 1.0),
    unit: str | None = None,
    limits: tuple[float, float] | None = None,
    cmap: str = "gray",
) -> AxesImage:
    """An image [y, x] (or RGB) in true proportions, without ticks, with a scale bar where a unit is given."""
    height, width = image.shape[0] * step[0], image.shape[1] * step[1]
    low, high = limits or robust_limits(image)
    shown = axes.imshow(image, cmap=cmap, vmin=low, vmax=high, extent=(0, width, height, 0), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    if unit is not None:
        add_scalebar(axes, width, unit)
    return shown


def add_colorbar(axes: Axes, shown: ScalarMappable, label: str) -> Colorbar:
    """A colour bar beside the axes, which give it of their room."""
    return axes.figure.colorbar(shown, ax=axes, label=label, shrink=0.9, pad=0.02)


def figure_size(height: float, width: float, longest: float = 6.0) -> tuple[float, float]:
    """Inches (height, width) of the panel for an image of these proportions, neither thinner than 1 to 4."""
    ratio = min(max(height / width, 0.25), 4.0)
    return (longest, longest / ratio) if ratio > 1 else (longest * ratio, longest)
