"""Object, probe, positions and tilts that files give as a start, brought to the grid of the model."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ptycupy.data.arrays import read_array
from ptycupy.errors import ConfigError, DataError
from ptycupy.experiment import regrid
from ptycupy.experiment.calibration import Geometry
from ptycupy.experiment.results import Earlier, load_earlier
from ptycupy.experiment.results.earlier import METRE, four_axes, paired, probe_modes, split

if TYPE_CHECKING:
    from ptycupy.config import schema

log = logging.getLogger(__name__)

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
THICKNESS_TOLERANCE = 0.01  # relative difference of total thickness that is worth a warning


@dataclass(frozen=True)
class StartObject:
    """A loaded object on the model's pixels and slices."""

    amplitude: Float32  # (omode, z, y, x)
    phase: Float32  # (omode, z, y, x) rad
    slice_thickness: Any  # angstrom, scalar or (z-1,); None where the file does not say
    positions: Float | None  # [N, 2] px, top-left corners of the model's window on this object


def load_object(section: schema.Object, geometry: Geometry) -> StartObject | None:
    """The object of `object.path`: cropped and padded along the beam, on the model's pixels, in object.slices slices.

    A result, or one array (y, x), (z, y, x) or (omode, z, y, x): a complex transmission, or a real phase in rad, whose
    pixels are taken to be the model's. Total phase and total thickness are kept when slices are merged or split.
    """
    if section.path is None:
        return None
    name = f"object.path: {section.path}"
    earlier = load_earlier(section.path) if section.key is None else None
    if earlier is None:
        values = four_axes(read_array(section.path, section.key), name)
        fields = split(values) if values.dtype.kind == "c" else (np.ones(values.shape, np.float32), values)
        earlier = Earlier(section.path, "array", fields[0], fields[1].astype(np.float32))
    amplitude, phase = (earlier.require(part, "object.path") for part in ("amplitude", "phase"))
    if amplitude.shape != phase.shape:
        raise DataError(f"{name}: amplitude {amplitude.shape} and phase {phase.shape} differ in shape")
    fields = _on_pixels((amplitude, phase), earlier, geometry)
    layers = _layers(earlier.slice_thickness, amplitude.shape[1], name)
    fields, layers = _in_depth(fields, layers, section)
    gaps = None if earlier.slice_thickness is None else _gaps(layers, section.slices)
    _compare_thickness(section, gaps, name)
    fields = regrid.resliced(fields, section.slices, layers)
    positions = None if earlier.positions is None else _positions(earlier, geometry, "object.path")
    log.info("%s: object of %s, %s slices of %s px", name, earlier.program, fields[0].shape[1], fields[0].shape[2:])
    return StartObject(*fields, gaps, positions)


def load_probe(section: schema.Illumination, geometry: Geometry) -> NDArray[np.complex128] | None:
    """Probe modes (mode, y, x) of `illumination.path` in the model's window, or None without a path.

    A result's probe is resampled; one without a pixel size must have the window already, or fits by a crop or pad.
    """
    if section.path is None:
        return None
    earlier = load_earlier(section.path) if section.key is None else None
    if earlier is not None:
        waves = earlier.require("probe", "illumination.path")
        if section.permute is not None:
            waves = waves.transpose(section.permute)
        old, new = _pixel_sizes(earlier, geometry)
        return regrid.probe(waves, old, geometry.window, new)
    name = f"illumination.path: {section.path}{f': {section.key}' if section.key else ''}"
    waves = probe_modes(read_array(section.path, section.key), name)
    waves = permuted(waves, section.permute or (0, 1, 2), geometry, name)
    if not np.isfinite(waves).all():
        raise DataError(f"{name}: {np.count_nonzero(~np.isfinite(waves))} values are not finite")
    return waves


def permuted(
    waves: NDArray[np.complex128], order: tuple[int, int, int], geometry: Geometry, name: str
) -> NDArray[np.complex128]:
    """Probe modes with their axes in another order; DataError where they are not (mode, y, x) of the window then."""
    turned: NDArray[np.complex128] = waves.transpose(order)
    if turned.shape[1:] != geometry.window:
        y, x = geometry.window
        raise DataError(
            f"{name}: a probe of shape {turned.shape}; the model's window needs (mode, {y}, {x}): "
            "illumination.permute gives the axes another order"
        )
    return turned


def load_positions(section: schema.Scan, geometry: Geometry) -> Float | None:
    """Positions [N, 2] of the result that `scan.path` names, as top-left corners of the model's window in its px.

    None where the file is no result: it then holds plain positions.
    """
    if section.path is None or section.key is not None:
        return None
    earlier = load_earlier(section.path)
    if earlier is None:
        return None
    if earlier.program == "fold_slice" and section.unit == "metre":
        earlier = replace(earlier, pixel_size=(METRE, METRE))
    return _positions(earlier, geometry, "scan.path")


def load_tilts(section: schema.Object, count: int) -> Float32:
    """Tilts (1, 2) or (count, 2) in mrad: of `object.tilt_path`, else object.tilts_mrad or tilt_mrad."""
    if section.tilts_mrad is not None:
        tilts = np.asarray(section.tilts_mrad, np.float64)
        if len(tilts) != count:
            raise DataError(f"object.tilts_mrad: {len(tilts)} tilts for {count} positions; one for each is needed")
    elif section.tilt_path is None:
        tilts = np.asarray(section.tilt_mrad, np.float64)[None]
    else:
        name = f"object.tilt_path: {section.tilt_path}"
        earlier = load_earlier(section.tilt_path) if section.tilt_key is None else None
        if earlier is None:
            tilts = paired(read_array(section.tilt_path, section.tilt_key), name, "tilts")
        else:
            tilts = earlier.require("tilts", "object.tilt_path")
        if len(tilts) not in (1, count) or not np.isfinite(tilts).all():
            raise DataError(f"{name}: {len(tilts)} tilts for {count} positions; 1 or {count} finite pairs are needed")
        if not section.tilt_per_position and len(tilts) > 1 and not np.ptp(tilts, axis=0).any():
            tilts = tilts[:1]
    if section.tilt_per_position and len(tilts) == 1:
        tilts = np.tile(tilts, (count, 1))
    return tilts.astype(np.float32)


def _pixel_sizes(earlier: Earlier, geometry: Geometry) -> tuple[tuple[float, float], tuple[float, float]]:
    """The file's and the model's, equal where one of them is not known."""
    if earlier.pixel_size is None or geometry.pixel_size is None:
        return (1.0, 1.0), (1.0, 1.0)
    return earlier.pixel_size, geometry.pixel_size


def _positions(earlier: Earlier, geometry: Geometry, asked_by: str) -> Float:
    """Window centres (corner + n // 2) are the same points before and after."""
    positions = earlier.require("positions", asked_by)
    if earlier.program == "fold_slice" and geometry.pixel_size is None:
        raise ConfigError(f"{asked_by}: {earlier.path}: positions in angstrom need calibration.mode")
    window = earlier.window or geometry.window
    old, new = (np.asarray(size) for size in _pixel_sizes(earlier, geometry))
    return np.asarray((positions + np.asarray(window) // 2) * (old / new) - np.asarray(geometry.window) // 2)


def _on_pixels(fields: tuple[Float32, Float32], earlier: Earlier, geometry: Geometry) -> tuple[Float32, Float32]:
    old, new = _pixel_sizes(earlier, geometry)
    return regrid.lateral(fields[0], old, new), regrid.lateral(fields[1], old, new)


def _layers(thickness: Float | None, slices: int, name: str) -> Float:
    """Thickness (z,) of every slice; the last one is as thick as the gap before it. 1 each where nothing is known."""
    if thickness is None or (thickness.ndim and not thickness.size):
        return np.ones(slices)
    if not (np.isfinite(thickness).all() and (thickness > 0).all()):
        raise DataError(f"{name}: slice thickness {thickness} must be above 0 angstrom")
    if thickness.ndim == 0 or thickness.size == 1:
        return np.full(slices, float(thickness.ravel()[0]))
    if thickness.size != slices - 1:
        raise DataError(f"{name}: {thickness.size} thicknesses for {slices} slices, which have {slices - 1} gaps")
    return np.append(thickness, thickness[-1])


def _in_depth(
    fields: tuple[Float32, Float32], layers: Float, section: schema.Object
) -> tuple[tuple[Float32, Float32], Float]:
    """Crop, then pad, of the fields and of the thickness of their slices."""
    depth = section.depth
    if depth.crop is not None:
        fields, layers = regrid.cropped(fields, depth.crop), layers[slice(*depth.crop)]
    if any(depth.pad):
        fields = regrid.padded(fields, depth.pad, depth.pad_values)
        layers = np.pad(layers, depth.pad, mode="edge")
    return fields, layers


def _gaps(layers: Float, slices: int) -> Any:
    """Distances of the slices after resampling: float32, a scalar where all are equal."""
    if len(layers) != slices:
        return np.float32(layers.sum() / slices)
    gaps = layers[:-1]
    return np.float32(layers[0]) if not gaps.size or not np.ptp(gaps) else gaps.astype(np.float32)


def _compare_thickness(section: schema.Object, gaps: Any, name: str) -> None:
    """The configured thickness wins; where it changes the specimen's thickness, that is worth a word."""
    distance = section.slice_distance_angstrom
    if distance is None or gaps is None or section.slices == 1:
        return
    configured, stored = (float(np.mean(value)) for value in (distance, gaps))
    if abs(configured - stored) > THICKNESS_TOLERANCE * stored:
        log.warning(
            "%s: its thickness in %d slices makes %.4g angstrom each, but the configuration says %.4g, "
            "which is used; object.slice_thickness_angstrom: null would keep the former",
            name, section.slices, stored, configured,
        )  # fmt: skip
