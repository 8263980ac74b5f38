"""What the site has beside the guide: README as its first page, the API reference, the command line and every key."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import ptycupy
from ptycupy.cli import main
from ptycupy.guide import topics

ROOT = Path(__file__).parents[1]
REFERENCE = {  # page -> public names on it
    "Reconstruct": [
        "reconstruct",
        "Result",
        "read_result",
        "reconstruct_batch",
        "BatchResult",
        "export_patterns",
        "doctor",
    ],
    "Other programs": ["export", "Exported"],
    "Engine": ["Engine", "JointEngine", "Settings", "Constraint", "Active", "Residency", "Callback"],
    "Problem and state": ["Problem", "State", "make_probe"],
    "Functions": ["forward", "loss_and_gradients", "apply_constraint", "check_gradient"],
    "Operations of your own": ["Tape", "Op", "Loss"],
}
OTHERS = {  # page -> modules whose public names are on it, and names from elsewhere that they give on
    "Pictures": ["ptycupy.plot"],
    "Analysis": [
        "ptycupy.analysis.resolution",
        "ptycupy.analysis.comparison",
        "ptycupy.analysis.information_limit.information_limit",
    ],
    "Integrations": [
        "ptycupy.integrations.torch",
        "ptycupy.integrations.torch.propagators.transfer",
        "ptycupy.integrations.torch.optimizer.Adam",
        "ptycupy.integrations.jax",
        "ptycupy.integrations.ptyrad",
        "ptycupy.integrations.phaser",
        "ptycupy.integrations.ptychi",
    ],
    "Backend protocol": ["ptycupy.backends.interface"],
    "Errors": ["ptycupy.errors"],
}
COMMANDS = "reference/command_line.md"
KEYS = "reference/configuration.md"


def address(title: str) -> str:
    return f"reference/{title.lower().replace(' ', '_')}.md"


def on_config(config: Any) -> Any:
    """The navigation: README, the guide in reading order, the reference."""
    pages = [{title: address(title)} for title in (*REFERENCE, *OTHERS)]
    config.nav = [
        {"ptycupy": "index.md"},
        {"Guide": [{title: f"{name}.md"} for name, title in topics().items()]},
        {"Reference": [{"Command line": COMMANDS}, {"Configuration": KEYS}, *pages]},
    ]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the generated pages; PluginError for a public name that no page of the reference shows."""
    forgotten = set(ptycupy.__all__) - {name for names in REFERENCE.values() for name in names}
    if forgotten:
        raise PluginError(f".site/hooks.py: no page of the reference has {', '.join(sorted(forgotten))}")
    made = {"index.md": first_page(), COMMANDS: command_line(), KEYS: keys()}
    for title, names in REFERENCE.items():
        made[address(title)] = page(title, [f"{ptycupy._HOMES[name]}.{name}" for name in names])
    for title, names in OTHERS.items():
        made[address(title)] = page(title, names)
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def page(title: str, names: list[str]) -> str:
    return "\n\n".join([f"# {title}", *(f"::: {name}" for name in names)]) + "\n"


def first_page() -> str:
    """README with the guide's pages as links."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("ptycupy/guide/pictures/", "pictures/")
    return re.sub(r"`ptycupy/guide/(\w+\.md)`", r"[\1](\1)", text)


def command_line() -> str:
    """What every command says to --help."""

    def help_of(*arguments: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main([*arguments, "--help"])
        return said.getvalue()

    commands = re.findall(r"^    ([a-z][a-z-]+)\s", help_of(), re.MULTILINE)
    parts = [f"## ptycupy {name}\n\n```console\n{help_of(name)}```" for name in commands]
    return "\n\n".join(["# Command line", f"```console\n{help_of()}```", *parts]) + "\n"


def keys() -> str:
    """The commented template that `ptycupy new` writes."""
    from ptycupy.config import template

    return f"# Configuration\n\nEvery key with its default, as `ptycupy new` writes it.\n\n```yaml\n{template()}\n```\n"
