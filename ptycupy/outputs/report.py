"""report.html: one self-contained page of a run, with its pictures inside, that a browser prints to PDF."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ptycupy.storage.atomic import atomic_write

STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 1080px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; margin-bottom: 0; } h2 { font-size: 1.15em; margin: 2em 0 .5em; border-bottom: 1px solid #ccc; }
.when { color: #666; margin-top: .2em; }
table { border-collapse: collapse; } td { padding: .15em 1.5em .15em 0; vertical-align: top; }
td:first-child { color: #666; white-space: nowrap; }
th { text-align: left; font-weight: 600; padding: .15em 1.5em .3em 0; border-bottom: 1px solid #ccc; }
.scroll { overflow-x: auto; } .scroll td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.scroll th { max-width: 11em; overflow-wrap: break-word; vertical-align: bottom; }
.warnings li { margin-bottom: .5em; }
.warnings { background: #fff6e0; border-left: 4px solid #e0a000; padding: .6em 2em; }
.fine { background: #eef7ee; border-left: 4px solid #4a9a4a; padding: .6em 1em; }
code { background: #f1f1f1; padding: .1em .3em; border-radius: 3px; }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto; font-size: 12px; line-height: 1.35; }
figure { display: inline-block; margin: .5em 1em .5em 0; vertical-align: top; max-width: 100%; }
figure img { max-width: 100%; max-height: 430px; } figure.large img { max-height: 760px; }
figcaption { color: #555; font-size: .9em; max-width: 34em; }
details summary { cursor: pointer; color: #06c; }
@media print { body { max-width: none; margin: 0; font-size: 11pt; } figure, tr, li { break-inside: avoid; }
  h2 { break-after: avoid; } pre { white-space: pre-wrap; } figure img { max-height: 8cm; } }
"""


@dataclass(frozen=True)
class Picture:
    """A PNG on disk and what it shows."""

    file: Path
    caption: str
    large: bool = False  # shown taller, as many panels need


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


def write_report(
    path: Path, title: str, when: str, advice: Sequence[Advice] | None, sections: Iterable[Section]
) -> None:
    """Writes the page, whole or not at all; `advice` None = nothing was diagnosed. Pictures that are not there are left
    out. Raises OSError and ResourceError where it cannot be written."""
    body = [f"<h1>{escape(title)}</h1>", f'<p class="when">{escape(when)}</p>', *_advice(advice)]
    for section in sections:
        body += _section(section)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>\n{STYLE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )
    with atomic_write(path) as sink:
        sink.write(page.encode())


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
    lines = [f"<h2>{escape(section.title)}</h2>"]
    if section.rows:
        cells = [f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in section.rows]
        lines += ["<table>", *cells, "</table>"]
    for table in tables:
        lines += _table(table)
    for picture in pictures:
        source = base64.b64encode(picture.file.read_bytes()).decode()
        alt = escape(picture.caption, quote=True)
        size = ' class="large"' if picture.large else ""
        lines.append(
            f'<figure{size}><img alt="{alt}" src="data:image/png;base64,{source}">'
            f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        )
    if section.folded:
        lines.append(f"<details><summary>show</summary><pre>{escape(section.folded)}</pre></details>")
    return lines


def _table(table: Table) -> list[str]:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows]
    caption = [f"<p>{escape(table.caption)}</p>"] if table.caption else []
    return [*caption, '<div class="scroll"><table>', f"<tr>{head}</tr>", *rows, "</table></div>"]
