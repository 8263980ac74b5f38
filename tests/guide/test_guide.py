"""The guide: every page is found, and every block of code in it does what the page says."""

import os
import re
import shlex
from pathlib import Path

import pytest

from ptycupy import config
from ptycupy.cli import main
from ptycupy.guide import page, topics

CONFIGS = Path(__file__).parents[2] / "configs"
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {"sh", "", "console"}  # an installation, a cluster, or what a program prints
BASE = {
    "data": {"path": "scan.h5"},
    "illumination": {"voltage_kv": 80, "convergence_angle_mrad": 24.9},
    "scan": {"step_angstrom": 0.4},
}


def blocks(topic, *kinds):
    found = [(kind, re.sub(rf"^{indent}", "", text, flags=re.M)) for indent, kind, text in BLOCK.findall(page(topic))]
    return [text for kind, text in found if kind in kinds]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder with the shipped configurations."""
    os.symlink(CONFIGS, tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("topic", topics())
def test_every_block_is_of_a_kind_that_is_tested(topic):
    text = page(topic)
    assert text.startswith("# ")
    assert text.count("```") == 2 * len(BLOCK.findall(text))
    assert {kind for _, kind, _ in BLOCK.findall(text)} <= {"python", "bash", "yaml"} | NOT_RUN


def needs(block):
    """The packages that a block's first line names, `# needs torch`, and that the `dev` extra leaves out."""
    found = re.match(r"# needs (.*)\n", block)
    return found[1].split(", ") if found else []


def run(topic, wanted):
    names = {"__name__": "guide"}
    for block in blocks(topic, "python"):
        if wanted(block):
            exec(compile(block, f"{topic}.md", "exec"), names)


@pytest.mark.parametrize("topic", [topic for topic in topics() if blocks(topic, "python")])
def test_python_runs(topic, place):
    run(topic, lambda block: not needs(block))


@pytest.mark.filterwarnings("default")  # other packages warn of their own
@pytest.mark.parametrize(
    ("topic", "packages"), sorted({(t, ", ".join(needs(b))) for t in topics() for b in blocks(t, "python") if needs(b)})
)
def test_python_runs_with_other_packages(topic, packages, place):
    """The page's blocks that need no more than these."""
    for package in packages.split(", "):
        pytest.importorskip(package, reason=f"{package} is not installed")
    run(topic, lambda block: set(needs(block)) <= set(packages.split(", ")))


@pytest.mark.parametrize("topic", [topic for topic in topics() if blocks(topic, "bash")])
def test_commands_run(topic, place):
    for block in blocks(topic, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            command = shlex.split(line, comments=True)
            if command:
                assert command[0] == "ptycupy"
                assert main(command[1:]) == 0, line


@pytest.mark.parametrize("topic", [topic for topic in topics() if blocks(topic, "yaml")])
def test_configurations_are_valid(topic, place):
    (place / "series").mkdir()
    for name in ("scan.h5", "series/t000.h5", "series/t001.h5"):
        (place / name).write_bytes(b"")
    (place / "scan.yaml").write_text(str(config.dump(config.from_dict(BASE))))
    for block in blocks(topic, "yaml"):
        (place / "block.yaml").write_text(block)
        if re.search(r"^(base|entries|files):", block, re.M):
            config.load_batch(place / "block.yaml")
            continue
        sections = config.from_dict(BASE).model_dump(mode="json", exclude_unset=True)
        named = set(re.findall(r"^(\w+):", block, re.M))
        given = "\n".join(f"{key}: {value}" for key, value in sections.items() if key not in named and key != "version")
        (place / "whole.yaml").write_text(f"{given}\n{block}")
        config.load_config(place / "whole.yaml")


def test_the_command(capsys):
    assert main(["guide"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed[0].split() == ["first_reconstruction", "Your", "first", "reconstruction"]
    assert len(listed) == len(topics())
    assert main(["guide", "tilts"]) == 0
    assert capsys.readouterr().out == page("tilts")
    assert main(["guide", "tilt"]) == 2
    assert "did you mean tilts" in capsys.readouterr().err
