"""report.html: whole, self-contained, and with everything escaped."""

import re

import pytest
from PIL import Image

from ptycupy.errors import DataError
from ptycupy.outputs.report import Advice, Picture, Section, Table, replace_section, write_report


def test_a_page(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "one.png")
    sections = [
        Section(
            "First & last",
            [("loss", "<0.5")],
            [Picture(tmp_path / "one.png", 'the "one"'), Picture(tmp_path / "no.png", "")],
        ),
        Section("Empty", pictures=[Picture(tmp_path / "no.png", "absent")]),
        Section("Config", folded="a: <b>"),
    ]
    write_report(tmp_path / "report.html", "run <1>", "today", [Advice("slow", "a: {b}")], sections)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 1
    assert "data:image/png;base64," in page
    assert "<h1>run &lt;1&gt;</h1>" in page
    assert "First &amp; last" in page
    assert "&lt;0.5" in page
    assert "Empty" not in page
    assert "a: &lt;b&gt;" in page
    assert "Try <code>a: {b}</code>" in page
    assert '<a href="#first-last">First &amp; last</a>' in page
    assert '#empty"' not in page
    assert "--width: 2px" in page  # 3 px of 96 to the inch, at three quarters
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)  # nothing is fetched
    replace_section(tmp_path / "report.html", Section("Empty", [("filled", "later")]))
    filled = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<tr><td>filled</td><td>later</td></tr>" in filled
    assert filled.index("First &amp; last</h2>") < filled.index("filled") < filled.index("Config</h2>")
    with pytest.raises(DataError, match="'Else'"):
        replace_section(tmp_path / "report.html", Section("Else"))
    write_report(tmp_path / "report.html", "run", "today", [], [], [("loss", "<1")])
    assert "<dt>loss</dt><dd>&lt;1</dd>" in (tmp_path / "report.html").read_text()
    assert "No check found anything to mend." in (tmp_path / "report.html").read_text()


def test_tables_and_large_pictures(tmp_path):
    Image.new("L", (3, 2)).save(tmp_path / "one.png")
    table = Table(["trial", "scan.affine_x"], [["1", "<2"], ["3", "4"]], "what & why")
    sections = [
        Section("A", [("x", "y")], [Picture(tmp_path / "one.png", "", large=True)], tables=[table]),
        Section("Empty", tables=[Table(["a"], [])]),
    ]
    write_report(tmp_path / "report.html", "run", "today", None, sections)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<th>trial</th><th>scan.<wbr>affine_<wbr>x</th>" in page
    assert "<tr><td>1</td><td>&lt;2</td></tr>" in page
    assert page.index("<td>y</td>") < page.index("what &amp; why") < page.index("<th>trial") < page.index("<figure")
    assert "--width: 3px" in page
    assert "Empty" not in page
