"""`ptycupy quick FILE`: a scan looked at in seconds, with a picture and a first configuration."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptycupy.analysis.first_look import FirstLook, look, overlap, probe_diameter
from ptycupy.config.schema import Data
from ptycupy.data import open_source
from ptycupy.data.source import PatternSource
from ptycupy.errors import ConfigError, ResourceError
from ptycupy.experiment.optics import electron_wavelength
from ptycupy.experiment.scan import ADVISED_OVERLAP
from ptycupy.outputs.quick_figure import Panel, directions, write_panels
from ptycupy.storage.atomic import atomic_write

FEW_ELECTRONS = 50.0  # per pattern: below, one mode and a small learning rate are the usual start
PARALLEL = 1.0  # degrees of rotation that the curl cannot tell from none


@dataclass(frozen=True)
class Known:
    """What the user, or the file, says of the microscope; None where nobody does."""

    voltage_kv: float | None = None
    convergence_angle_mrad: float | None = None
    step_angstrom: float | None = None
    defocus_angstrom: float | None = None  # positive is underfocus, C10 = -defocus


@dataclass(frozen=True)
class Quick:
    """A first look at a file; print it."""

    data: Data
    look: FirstLook
    known: Known
    stated_dk: tuple[float, float] | None  # 1/angstrom (ky, kx) per detector pixel, as the file says
    folder: Path  # holds quick.png and quick.yaml

    @property
    def wavelength(self) -> float | None:
        """In angstrom."""
        return None if self.known.voltage_kv is None else electron_wavelength(self.known.voltage_kv)

    @property
    def pixel_size(self) -> float | None:
        """Of the object in angstrom, from the disk's radius and the convergence angle."""
        if self.wavelength is None or self.known.convergence_angle_mrad is None:
            return None
        per_pixel = 1e-3 * self.known.convergence_angle_mrad / self.wavelength / self.look.radius
        return float(1 / (max(self.look.pacbed.shape) * per_pixel))

    @property
    def diameter(self) -> float | None:
        """Of the probe in angstrom."""
        if self.wavelength is None or self.known.convergence_angle_mrad is None:
            return None
        return probe_diameter(self.known.convergence_angle_mrad, self.wavelength, self.known.defocus_angstrom or 0.0)

    def __str__(self) -> str:
        return "\n".join(f"{name:<16}{text}" for name, text in self._lines())

    def _lines(self) -> list[tuple[str, str]]:
        seen, known = self.look, self.known
        read = f"{seen.field.shape[0]} x {seen.field.shape[1]}"
        whole = seen.field.shape[:2] == seen.scan_shape
        slow, fast = seen.scan_shape
        ky, kx = seen.pacbed.shape
        off = tuple(c - n // 2 for c, n in zip(seen.centre, seen.pacbed.shape, strict=True))
        best = seen.orientation
        others = ", ".join(f"{one} {one.curl:.3f}" for one in seen.orientations[1:4])
        lines = [
            ("scan", f"{slow} x {fast}" + ("" if whole else f"; its middle {read} was read")),
            ("detector", f"{ky} x {kx} px; largest value {seen.largest:g}" + _also(seen.defects)),
            ("disk", f"radius {seen.radius:.2f} px, off the middle by ({off[0]:+.1f}, {off[1]:+.1f}) px (y, x)"),
            ("counts", f"{seen.counts:.4g} per pattern" + ("" if seen.whole_counts else " (not whole numbers)")),
            ("orientation", f"{best} (curl {best.curl:.3f}); then {others}"),
            ("scan rotation", f"{seen.rotation_degrees:+.1f} degrees on top of it"),
        ]
        if best.curl > 0.4:
            lines.append(("", "the centre of mass is mostly noise here: check the orientation by reconstructing"))
        if self.pixel_size is not None and self.diameter is not None:
            lines.append(("pixel size", f"{self.pixel_size:.4g} angstrom, from the disk" + self._stated()))
            lines.append(("probe", f"{self.diameter:.3g} angstrom wide" + self._overlap()))
        if known.step_angstrom is not None and seen.whole_counts:
            lines.append(("dose", f"{seen.counts / known.step_angstrom**2:.4g} counts per square angstrom"))
        lines += [(name, "not known: give " + option) for name, option in self._missing()]
        return lines

    def _stated(self) -> str:
        if self.stated_dk is None:
            return ""
        y, x = (1 / (n * dk) for n, dk in zip(self.look.pacbed.shape, self.stated_dk, strict=True))
        return f"; the file says {y:.4g} x {x:.4g}"

    def _overlap(self) -> str:
        if self.known.step_angstrom is None or self.diameter is None:
            return ""
        share = overlap(self.known.step_angstrom, self.diameter)
        wanted = f"; {100 * ADVISED_OVERLAP:.0f} % and more are advised: a finer step, or more defocus"
        few = wanted if share < ADVISED_OVERLAP else ""
        return f", overlap {100 * share:.0f} % of it{few}"

    def _missing(self) -> list[tuple[str, str]]:
        options = (
            ("voltage", "--voltage-kv", self.known.voltage_kv),
            ("aperture", "--convergence-angle-mrad", self.known.convergence_angle_mrad),
            ("step", "--step-angstrom", self.known.step_angstrom),
        )
        return [(name, option) for name, option, value in options if value is None]

    def config(self) -> str:
        """A first configuration as YAML; lines that must still be filled in say so."""
        best, known = self.look.orientation, self.known
        slow, fast = self.look.scan_shape
        turned = [f"    {name}: true" for name in ("flip_y", "flip_x", "transpose") if getattr(best, name)]
        keys = [f"  key: {json.dumps(self.data.key)}"] if self.data.key else []
        if self.data.detector_shape is not None:
            keys.append(f"  detector_shape: {list(self.data.detector_shape)}")
        rotation = self.look.rotation_degrees
        lines = [
            f"# From `ptycupy quick`: this orientation has the least curl ({best.curl:.3f}); the disk's radius is",
            f"# {self.look.radius:.2f} px. `ptycupy validate` checks the file, `ptycupy new` explains it.",
            "version: 1",
            "data:",
            f"  path: {json.dumps(str(Path(str(self.data.path)).resolve()))}",
            *keys,
            f"  scan_shape: [{slow}, {fast}]",
            *(["  orientation:", *turned] if turned else []),
            "illumination:",
            _filled("voltage_kv", known.voltage_kv, "80"),
            _filled("convergence_angle_mrad", known.convergence_angle_mrad, "24.9"),
            *([] if known.defocus_angstrom is None else [f"  aberrations: {{C10: {-known.defocus_angstrom:g}}}"]),
            *(["  modes: 1"] if self.look.whole_counts and self.look.counts < FEW_ELECTRONS else []),
            f"calibration: {{mode: {'fitted_disk' if self.stated_dk is None else 'file'}}}",
            "scan:",
            _filled("step_angstrom", known.step_angstrom, "0.43"),
            *([f"  affine: {{rotation_degrees: {rotation:.1f}}}"] if abs(rotation) > PARALLEL else []),
            "reconstruction: {iterations: 20, batch_size: 16}",
        ]
        return "\n".join(lines) + "\n"


def quick(data: Data, known: Known, folder: Path | None = None) -> Quick:
    """Look at the patterns of `data` and write quick.png and quick.yaml; by default beside the file, in NAME_quick.

    What `known` leaves open is taken from the file's own calibration where it states it. Raises ConfigError and
    DataError for what cannot be read, ResourceError where nothing can be written.
    """
    if data.path is None:
        raise ConfigError("data.path is missing: the file to look at")
    source = open_source(data)
    known = _with_file(known, source)
    target = folder or Path(data.path).with_name(f"{Path(data.path).stem}_quick")
    found = Quick(data, look(source), known, source.calibration.dk_inverse_angstrom, target)
    try:
        target.mkdir(parents=True, exist_ok=True)
        write_panels(target / "quick.png", Path(data.path).name, panels(found))
        with atomic_write(target / "quick.yaml") as sink:
            sink.write(found.config().encode())
    except OSError as error:
        raise ResourceError(f"{target}: cannot be written: {error.strerror or error}; give --output") from error
    return found


def panels(found: Quick) -> list[Panel]:
    """What quick.png shows."""
    seen, step = found.look, found.known.step_angstrom
    scale, unit = ((step, step), "Å") if step is not None else ((1.0, 1.0), "px")
    best = seen.orientation
    disk = (*seen.centre, seen.radius)
    return [
        Panel("mean pattern (PACBED), square root", np.sqrt(np.maximum(seen.pacbed, 0)), cmap="inferno", circle=disk),
        Panel("the same, logarithm", np.log(np.maximum(seen.pacbed, _least(seen.pacbed))), cmap="inferno"),
        Panel("virtual bright field", seen.bright_field, scale, unit),
        Panel("virtual dark field", seen.dark_field, scale, unit),
        Panel("centre of mass, y (as stored)", seen.field[..., 0], scale, unit, "RdBu_r"),
        Panel("centre of mass, x (as stored)", seen.field[..., 1], scale, unit, "RdBu_r"),
        Panel(f"direction, turned: {best}, {seen.rotation_degrees:+.1f}°", directions(seen.turned), scale, unit),
        Panel("integrated centre of mass (phase)", seen.phase, scale, unit),
    ]


def _least(mean: np.ndarray) -> float:
    """The smallest value above 0 that is shown on a logarithmic scale, at most four decades below the largest."""
    positive = mean[mean > 0]
    return max(float(positive.min()), 1e-4 * float(mean.max()))


def _with_file(known: Known, source: PatternSource) -> Known:
    stated = source.calibration
    step = stated.scan_step_angstrom
    return Known(
        known.voltage_kv or stated.energy_kev,
        known.convergence_angle_mrad,
        known.step_angstrom or (None if step is None else math.sqrt(step[0] * step[1])),
        known.defocus_angstrom,
    )


def _also(defects: str) -> str:
    return f"; {defects}" if defects else ""


def _filled(key: str, value: float | None, example: str) -> str:
    return f"  {key}:  # FILL IN, e.g. {example}" if value is None else f"  {key}: {value:g}"
