"""report.html: one self-contained page of a run, with its pictures inside, that a browser prints to PDF."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ptycupy.errors import DataError
from ptycupy.outputs.page_style import STYLE
from ptycupy.storage.atomic import atomic_write

SCALE = 0.75  # of a figure's own inches: two stand side by side, and all have letters of one size
PIXELS_PER_INCH = 96  # of a page's styles


@dataclass(frozen=True)
class Picture:
    """A PNG on disk and what it shows."""

    file: Path
    caption: str
    large: bool = False  # in its own inches, as many panels need


@dataclass(frozen=True)
class Advice:
    """A warning and the line that mends it."""

    what: str
    remedy: str


@dataclass(frozen=True)
class Table:
    """Columns under their names, and what they are all about."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with whatever it has; nothing is shown where all is empty."""

    title: str
    rows: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    folded: str = ""  # text behind a fold, as it is: a configuration
    tables: Sequence[Table] = ()  # between rows and pictures

    @property
    def name(self) -> str:
        """What links within the page call it."""
        return re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")


def write_report(
    path: Path,
    title: str,
    when: str,
    advice: Sequence[Advice] | None,
    sections: Iterable[Section],
    headline: Sequence[tuple[str, str]] = (),
) -> None:
    """Writes the page, whole or not at all; `advice` None = nothing was diagnosed, `headline` are the few numbers
    (what, value) that stand at its top. Pictures that are not there are left out. Raises OSError and ResourceError
    where it cannot be written."""
    shown = [(section, _section(section)) for section in sections]
    links = [f'<a href="#{section.name}">{escape(section.title)}</a>' for section, lines in shown if lines]
    body = [f"<h1>{escape(title)}</h1>", f'<p class="when">{escape(when)}</p>', *_headline(headline), *_advice(advice)]
    body.append(f"<nav>{' '.join(links)}</nav>")
    for section, lines in shown:
        body += _framed(section.name, lines)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>\n{STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )
    _write(path, page)


def replace_section(path: Path, section: Section) -> None:
    """Puts a section where a written page has one of this title.

    Raises DataError where the page has none, OSError and ResourceError where it cannot be read or written.
    """
    page = path.read_text(encoding="utf-8")
    first, last = _frame(section.name)
    start, end = page.find(first), page.find(last)
    if not 0 <= start < end:
        raise DataError(f"{path}: has no section {section.title!r} to replace")
    _write(path, page[:start] + "\n".join(_framed(section.name, _section(section))) + page[end + len(last) :])


def _write(path: Path, page: str) -> None:
    with atomic_write(path) as sink:
        sink.write(page.encode())


def _frame(name: str) -> tuple[str, str]:
    return f"<!-- {name} -->", f"<!-- end of {name} -->"


def _framed(name: str, lines: Sequence[str]) -> list[str]:
    first, last = _frame(name)
    return [first, *lines, last]


def _headline(numbers: Sequence[tuple[str, str]]) -> list[str]:
    if not numbers:
        return []
    cells = [f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in numbers]
    return ['<dl class="headline">', *cells, "</dl>"]


def _advice(advice: Sequence[Advice] | None) -> list[str]:
    if advice is None:
        return []
    if not advice:
        return ['<p class="fine">No check found anything to mend.</p>']
    items = [f"<li>{escape(one.what)}.<br>Try <code>{escape(one.remedy)}</code></li>" for one in advice]
    return ["<h2>Worth mending</h2>", '<ul class="warnings">', *items, "</ul>"]


def _section(section: Section) -> list[str]:
    pictures = [picture for picture in section.pictures if picture.file.is_file()]
    tables = [table for table in section.tables if table.rows]
    if not (section.rows or tables or pictures or section.folded):
        return []
    lines = [f'<section id="{section.name}">', f"<h2>{escape(section.title)}</h2>"]
    if section.rows:
        cells = [f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in section.rows]
        lines += ["<table>", *cells, "</table>"]
    for table in tables:
        lines += _table(table)
    if pictures:
        lines += ['<div class="pictures">', *map(_figure, pictures), "</div>"]
    if section.folded:
        lines.append(f"<details><summary>show</summary><pre>{escape(section.folded)}</pre></details>")
    return [*lines, "</section>"]


def _figure(picture: Picture) -> str:
    from PIL import Image

    with Image.open(picture.file) as image:
        width = image.width / image.info.get("dpi", (PIXELS_PER_INCH,))[0] * PIXELS_PER_INCH
    width *= 1 if picture.large else SCALE
    source = base64.b64encode(picture.file.read_bytes()).decode()
    return (
        f'<figure style="--width: {width:.0f}px"><img alt="{escape(picture.caption, quote=True)}" '
        f'src="data:image/png;base64,{source}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )


def _table(table: Table) -> list[str]:
    names = [escape(name).replace("_", "_<wbr>").replace(".", ".<wbr>") for name in table.header]
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows]
    caption = [f"<p>{escape(table.caption)}</p>"] if table.caption else []
    return [*caption, '<div class="scroll"><table>', f"<tr>{head}</tr>", *rows, "</table></div>"]
