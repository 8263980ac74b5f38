"""EMPAD .raw: float32 frames with a gap after each, described by an XML file beside them or by nothing at all."""

from __future__ import annotations

import logging
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from ptycupy.data.files import StridedFile, file_size, human, open_binary
from ptycupy.data.readers import ReaderOptions
from ptycupy.data.shapes import likely_shapes
from ptycupy.data.stored import Attributes
from ptycupy.errors import DataError

log = logging.getLogger(__name__)

DETECTOR = (128, 128)
GAP_BYTES = 1024  # two rows of the 128 x 130 frames of the first EMPAD hold no image
XML_LIMIT = 1 << 22


def open_array(path: Path, options: ReaderOptions) -> StridedFile:
    """All frames (N, ky, kx) of a raw file; the scan's shape comes from the options, the file's name or its XML."""
    (ky, kx), gap = _records(path, options)
    frame = 4 * ky * kx
    fields = _xml_fields(path)
    stated = options.scan_shape or _stated_scan_shape(path, fields)
    size = file_size(path)
    count, rest = divmod(size - options.offset_bytes, frame + gap)
    if stated is not None and (rest or count != math.prod(stated)):
        raise _misfit(path, size, (ky, kx), gap, options.offset_bytes, stated)
    if rest or count < 1:
        raise _misfit(path, size, (ky, kx), gap, options.offset_bytes, None)
    return StridedFile(
        path,
        (count, ky, kx),
        np.dtype("<f4"),
        options.offset_bytes,
        (frame + gap, 4 * kx, 4),
        attributes=_attributes(fields, stated),
    )


def layout(path: Path, options: ReaderOptions) -> tuple[tuple[int, int], int, Attributes]:
    """Detector (ky, kx), bytes from one frame to the next, and what the XML says, whatever the file's size."""
    (ky, kx), gap = _records(path, options)
    return (ky, kx), 4 * ky * kx + gap, _attributes(_xml_fields(path), options.scan_shape)


def _records(path: Path, options: ReaderOptions) -> tuple[tuple[int, int], int]:
    """The detector's shape and the gap in bytes after each frame; DataError where they are none."""
    ky, kx = options.detector_shape or DETECTOR
    gap = (GAP_BYTES if (ky, kx) == DETECTOR else 0) if options.gap_bytes is None else options.gap_bytes
    if min(ky, kx) < 1 or gap < 0 or options.offset_bytes < 0:
        raise DataError(
            f"{path}: detector {ky} x {kx}, data.gap_bytes {gap}, data.offset_bytes {options.offset_bytes}: "
            "sizes are positive, gaps and offsets are not negative"
        )
    return (ky, kx), gap


def _misfit(
    path: Path, size: int, detector: tuple[int, int], gap: int, offset: int, scan: tuple[int, int] | None
) -> DataError:
    record = 4 * math.prod(detector) + gap
    layout = f"{offset} + {{}} x ({detector[0]} x {detector[1]} x 4 + gap {gap}) bytes"
    whole, rest = divmod(max(size - offset, 0), record)
    if scan is not None:
        expected = offset + math.prod(scan) * record
        state = f"truncated: {size} of {expected} bytes" if size < expected else f"{size} bytes instead of {expected}"
        found = f"{state}; a scan of {scan[0]} x {scan[1]} needs {layout.format(math.prod(scan))}"
    else:
        expected = offset + (whole + 1) * record
        found = f"truncated: {size} of {expected} bytes (or another layout); frames need {layout.format('N')}"
    if rest == 0 and whole:
        fits = f"this size holds {whole} patterns: scan shapes {likely_shapes(whole)}"
    else:
        fits = f"this size holds {whole} patterns and {rest} bytes more" + "".join(
            f"; with data.gap_bytes {other} it would hold {n}: scan shapes {likely_shapes(n)}"
            for other in (0, GAP_BYTES)
            for n, left in [divmod(max(size - offset, 0), record - gap + other)]
            if other != gap and not left and n
        )
    return DataError(f"{path}: {found}; {fits} ({human(size)})")


def _xml_fields(path: Path) -> dict[str, str]:
    """The leaves of the XML that describes this file, by path; empty where there is none."""
    own = path.with_suffix(".xml")
    try:
        candidates = [own] if own.is_file() else sorted(path.parent.glob("*.xml"))[:50]
    except OSError as error:
        raise DataError(f"{path}: its folder cannot be listed ({error})") from error
    for candidate in candidates:
        with open_binary(candidate) as stream:
            text = stream.read(XML_LIMIT + 1)
        if len(text) > XML_LIMIT or b"<!DOCTYPE" in text.upper() or b"<!ENTITY" in text.upper():
            log.warning("%s is larger than %s or defines entities: not used", candidate, human(XML_LIMIT))
            continue
        try:
            root = ET.fromstring(text)
        except (ET.ParseError, ValueError, LookupError) as error:
            log.warning("%s is not readable XML (%s): not used", candidate, error)
            continue
        raw = root.find("raw_file")
        names = raw.get("filename", "") if raw is not None else ""
        if re.split(r"[/\\]", names)[-1] == path.name or (candidate == own and not names):
            return _leaves(root)
    return {}


def _leaves(root: ET.Element) -> dict[str, str]:
    fields: dict[str, str] = {}
    pending = [("", root)]
    while pending:
        prefix, element = pending.pop()
        for child in element:
            mode = child.get("mode")
            name = f"{prefix}{child.tag}{f'[{mode}]' if mode else ''}"
            fields[name] = (child.text or "").strip()
            pending.append((f"{name}/", child))
    return fields


def _stated_scan_shape(path: Path, fields: dict[str, str]) -> tuple[int, int] | None:
    """(slow, fast) by the file's own name, which names the scan that was taken; then by the XML."""
    named = re.fullmatch(r"scan_x(\d{1,6})_y(\d{1,6})", path.stem)
    if named:
        return int(named[2]), int(named[1])
    for y, x in (
        ("pix_y", "pix_x"),
        ("scan_parameters[acquire]/scan_resolution_y", "scan_parameters[acquire]/scan_resolution_x"),
    ):
        if re.fullmatch(r"\d{1,6}", fields.get(y, "")) and re.fullmatch(r"\d{1,6}", fields.get(x, "")):
            return int(fields[y]), int(fields[x])
    return None


def _attributes(fields: dict[str, str], scan_shape: tuple[int, int] | None) -> Attributes:
    """Calibration under the names of the HDF5 files: energy_keV, dk_invA, scan_step_A, scan_shape.

    Version 1.2 records the field of view of the longer side times `scale_factor`, before `scan_size` shrinks it.
    `calibrated_pixelsize` times 1e9 is in 1/nm (both as RosettaSciIO documents).
    """
    values: dict[str, float | tuple[float, ...]] = {}
    if scan_shape is not None:
        values["scan_shape"] = (float(scan_shape[0]), float(scan_shape[1]))
    older = _positive(fields, "iom_measurements/source.get_voltage")
    volts = _positive(fields, "iom_measurements/high_voltage") or older
    if volts is not None:
        values["energy_keV"] = volts / 1e3
    inverse_nm = _positive(fields, "iom_measurements/calibrated_pixelsize")
    if inverse_nm is not None:
        values["dk_invA"] = inverse_nm * 1e8
    step = _scan_step(fields, scan_shape)
    if step is not None:
        values["scan_step_A"] = step
    return Attributes(values)


def _scan_step(fields: dict[str, str], scan_shape: tuple[int, int] | None) -> tuple[float, ...] | None:
    if scan_shape is None:
        return None
    size = _positive(fields, "scan_parameters[acquire]/scan_size")
    view = "iom_measurements/full_scan_field_of_view/"
    side, factor = _positive(fields, f"{view}x"), _positive(fields, f"{view}scale_factor")
    if side is not None and factor is not None and size is not None:
        step = side / factor * size / max(scan_shape) * 1e10
        return step, step
    legacy = re.fullmatch(
        r"[\[(]([^,]{1,40}),([^,]{1,40})[\])]", fields.get("iom_measurements/optics.get_full_scan_field_of_view", "")
    )
    # Readers disagree whether scan_size scales the older field, so that it is used only where that cannot matter.
    if legacy is None or (size is not None and size != 1):
        return None
    sides = [_positive({"side": text.strip()}, "side") for text in legacy.groups()]
    if sides[0] is None or sides[1] is None:
        return None
    return sides[0] / scan_shape[0] * 1e10, sides[1] / scan_shape[1] * 1e10


def _positive(fields: dict[str, str], name: str) -> float | None:
    try:
        value = float(fields.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
