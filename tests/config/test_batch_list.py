"""Lists of reconstructions: what each entry's configuration is, and what is refused."""

from pathlib import Path

import pytest

from ptycupy.config import load_batch
from ptycupy.errors import ConfigError, DataError

BASE = "data: {path: x.h5, key: dp}\nillumination: {voltage_kv: 80, convergence_angle_mrad: 24.9}\n"


@pytest.fixture
def listed(tmp_path):
    """Loads a list in tmp_path/lists, whose base lies beside that folder."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "base.yaml").write_text(BASE)

    def load(text, *overrides):
        path = tmp_path / "lists" / "list.yaml"
        path.write_text(text)
        return load_batch(path, overrides)

    return load


def test_entries_change_the_base_in_turn(listed, tmp_path):
    batch = listed(
        """
        base: ../base.yaml
        set: {reconstruction.iterations: 7, constraints.depth_blur.std: 0.5}
        entries:
          - set: {data.path: a.h5}
          - {name: second, set: {data.path: ../b.h5, reconstruction.iterations: 9}}
        """,
        "reconstruction.batch_size=3",
    )
    assert [entry.name for entry in batch.entries] == ["01", "second"]
    first, second = (entry.loaded.config for entry in batch.entries)
    assert (first.data.path, second.data.path) == (str(tmp_path / "lists" / "a.h5"), str(tmp_path / "b.h5"))
    assert (first.reconstruction.iterations, second.reconstruction.iterations) == (7, 9)
    assert first.data.key == "dp"
    assert {c.name: c.model_extra for c in first.constraints}["depth_blur"]["std"] == 0.5
    assert first.reconstruction.batch_size == second.reconstruction.batch_size == 3


def test_paths_of_the_base_stay_relative_to_the_base(listed, tmp_path):
    (entry,) = listed("base: ../base.yaml\nentries: [{name: one}]").entries
    assert entry.loaded.config.data.path == str(tmp_path / "x.h5")


def test_a_base_may_stand_in_the_list_itself(listed, tmp_path):
    text = "base:\n" + "".join(f"  {line}\n" for line in BASE.splitlines()) + "entries: [{name: one}]"
    assert listed(text).entries[0].loaded.config.data.path == str(tmp_path / "lists" / "x.h5")


def test_a_pattern_makes_an_entry_of_each_file_in_natural_order(listed, tmp_path):
    for name in ("t10.h5", "t9.h5", "other.npy"):
        (tmp_path / "lists" / name).touch()
    (tmp_path / "lists" / "b").mkdir()
    (tmp_path / "lists" / "b" / "t9.h5").touch()
    batch = listed("base: ../base.yaml\nfiles: '**/t*.h5'\nstart_from_previous: [object, probe]")
    found = [(entry.name, Path(entry.loaded.config.data.path).parent.name) for entry in batch.entries]
    assert found == [("t9", "b"), ("t9-2", "lists"), ("t10", "lists")]
    assert batch.start_from_previous == ("object", "probe")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("entries: [{name: a}]", "base: required: The configuration of all"),
        ("base: ../base.yaml", "a list has either entries or files"),
        ("base: ../base.yaml\nfiles: '*.h5'\nentries: [{name: a}]", "keep one of the two"),
        ("base: ../base.yaml\nentry: []", "list.yaml:2: entry: unknown key; did you mean entries?"),
        ("base: ../base.yaml\nentries: [{name: a/b}]", "a/b must be one folder name"),
        ("base: ../base.yaml\nentries: [{name: a}, {name: a}]", "a is the name of several entries"),
        ("base: ../absent.yaml\nentries: [{name: a}]", "absent.yaml: no such file"),
        ("base: ../base.yaml\nstart_from_previous: [probes]\nentries: [{name: a}]", "did you mean probe?"),
        ("base: ../base.yaml\nentries: [{set: {output.name: x}}, {name: b}]", "are those of the whole batch"),
        ("base: ../base.yaml\nshare: [prob]\nentries: [{name: a}]", "did you mean probe?"),
        ("base: ../base.yaml\nshare: [probe]\nstart_from_previous: [probe]\nentries: [{name: a}]", "run together"),
        (
            "base: ../base.yaml\nshare: [probe]\nentries: [{name: a}, {set: {reconstruction.iterations: 3}}]",
            "02 and a share something, and need the same reconstruction.iterations",
        ),
        ("base: ../base.yaml\nshare: [probe]\nset: {stages: [{}, {}]}\nentries: [{name: a}]", "stages: not with share"),
        (
            "base: ../base.yaml\nshare: [probe]\nset: {data.scan_shape: [2, 2], data.follow: {}}\nentries: [{name: a}]",
            "data.follow: not with share",
        ),
        ("base: ../base.yaml\nentries: [{set: {'a..b': 1}}]", "list.yaml:2: expected key.path=value"),
    ],
)
def test_wrong_lists_say_what_would_be_right(listed, text, message):
    with pytest.raises(ConfigError) as error:
        listed(text)
    assert message in str(error.value)


def test_wrong_configurations_are_all_told_at_once_with_their_entries(listed):
    with pytest.raises(ConfigError) as error:
        listed(
            "base: ../base.yaml\nset: {reconstruction.iterations: 0}\n"
            "entries:\n  - {name: a}\n  - {name: b}\n  - {name: c, set: {reconstruction.iteration: 3}}"
        )
    told = str(error.value)
    assert "list.yaml:2: reconstruction.iterations: 0 must be at least 1" in told
    assert "(in a, b)" in told
    assert "list.yaml:6: reconstruction.iteration: unknown key; did you mean iterations?" in told


def test_a_pattern_without_files_is_missing_data(listed):
    with pytest.raises(DataError, match=r"files: nothing in .* is called \*\.h5"):
        listed("base: ../base.yaml\nfiles: '*.h5'")
