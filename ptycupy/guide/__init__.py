"""The user guide: Markdown pages, shown in a terminal by `ptycupy guide TOPIC`."""

from __future__ import annotations

from pathlib import Path

from ptycupy.errors import ConfigError

FOLDER = Path(__file__).parent
FIRST = (  # then the rest by name
    "first_reconstruction", "ptyrad", "choosing", "slices", "tilts", "positions", "low_dose", "tuning", "live",
    "many_gpus", "large_data", "batch", "backend", "file_formats", "python", "numerics", "extending", "measured",
)  # fmt: skip


def topics() -> dict[str, str]:
    """name -> title of every page, in the order in which they are read."""
    found = {path.stem: path for path in FOLDER.glob("*.md")}
    ordered = [*(name for name in FIRST if name in found), *sorted(set(found) - set(FIRST))]
    return {name: found[name].read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for name in ordered}


def page(topic: str) -> str:
    """The Markdown of a page; ConfigError, with the names that there are, where there is none of this name."""
    if topic not in topics():
        from ptycupy.config.suggest import did_you_mean

        raise ConfigError(f"no page {topic!r}{did_you_mean(topic, topics())}; there are {', '.join(topics())}")
    return (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
