"""The rows of the fault table that belong to the configuration: 1-12 and 40."""

from __future__ import annotations

import io
import os
import time
import tracemalloc

import pytest

from ptycupy.config import load_config
from ptycupy.config.nodes import MAX_VALUES
from ptycupy.errors import ConfigError


def test_refusals_carry_exit_code_2():
    assert ConfigError.exit_code == 2


def test_fault_01_all_unknown_keys_at_once_with_line_and_suggestion(refused, right):
    text = right + "reconstruction:\n  iteration: 5\n  batchsize: 8\nobjct: {}\nvoltage_kv: 80\n"
    assert refused(text) == [
        "cfg.yaml:4: reconstruction.iteration: unknown key; did you mean iterations?",
        "cfg.yaml:5: reconstruction.batchsize: unknown key; did you mean batch_size?",
        "cfg.yaml:6: objct: unknown key; did you mean object?",
        "cfg.yaml:7: voltage_kv: unknown key; did you mean illumination.voltage_kv?",
    ]


def test_fault_01_wrong_values_and_contradictions_come_with_the_unknown_keys(refused, right):
    text = right + "reconstruction: {iterations: -3}\nobject: {slices: 2}\nouput: {}\n"
    lines = refused(text)
    assert [line.split(": ")[1] for line in lines] == [
        "reconstruction.iterations", "object.slice_thickness_angstrom", "ouput",
    ]  # fmt: skip


def test_fault_01_a_flood_of_unknown_keys_is_cut_short(refused, right):
    lines = refused(right + "".join(f"k{n}: 1\n" for n in range(1000)))
    assert len(lines) == 51
    assert lines[-1] == "... and 950 more problems"


def test_fault_02_missing_required_keys_name_unit_and_example(refused):
    lines = refused("data:\n  key: dp\nillumination:\n  kind: electron\n")
    assert lines[0].startswith("cfg.yaml:1: data.path: required")
    assert "e.g. `path: scan.h5`" in lines[0]
    assert lines[1] == (
        "cfg.yaml:3: illumination.voltage_kv: required: the acceleration voltage in kV, e.g. `voltage_kv: 80`"
    )
    assert "mrad, e.g. `convergence_angle_mrad: 24.9`" in lines[2]


def test_fault_02_required_key_of_an_optional_section(refused, right):
    (line,) = refused(right + "truth: {path: t.h5}\n")
    assert line.startswith("cfg.yaml:3: truth.key: required: Dataset of the phase in rad")
    assert line.endswith("e.g. `key: truth_phase`")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reconstruction: {iterations: -3}", "reconstruction.iterations: -3 must be at least 1 (iterations)"),
        ("reconstruction: {iterations: 2.5}", "reconstruction.iterations: expected a whole number (iterations)"),
        ("reconstruction: {iterations: true}", "found true"),
        ("illumination: {voltage_kv: 80000}", "80000 kV? It looks like volts: did you mean 80 (kV)"),
        ("illumination: {voltage_kv: 0.3}", "did you mean 300 (kV), not 0.3 MV?"),
        ("illumination: {convergence_angle_mrad: 0.0249}", "looks like rad: did you mean 24.9 (mrad)"),
        ("illumination: {kind: xray, energy_kev: 8800}", "looks like eV: did you mean 8.8 (keV)"),
        ("illumination: {voltage_kv: 80 kV}", "found the text '80 kV' (write the number alone"),
        ("illumination: {voltage_kv: '80'}", "found the text '80' (remove the quotes)"),
        ("scan: {step_angstrom: 4.29e-11}", "looks like m: did you mean 0.429 (angstrom)"),
        ("scan: {step_angstrom: [0.4, x]}", "scan.step_angstrom.1: expected a number (angstrom), found the text 'x'"),
        ("scan: {step_angstrom: [0.4]}", "scan.step_angstrom.1: an item is missing from the list"),
        ("data: [1]", "data: expected a mapping (`key: value` lines), found a list of 1"),
        ("data: {key: 5}", "data.key: expected text, found 5"),
        ("output: {overwrite: yes}", "output.overwrite: expected true or false, found the text 'yes'"),
        ("calibration: {mode: fittd_disk}", "did you mean fitted_disk?"),
        ("version: 2", "version: expected 1; found 2"),
        ("backend: cuda:x", "backend.device: found the text 'cuda:x'; expected auto, cpu, cuda"),
    ],
)
def test_fault_03_wrong_type_or_range_has_a_hint(refused, line, expected):
    assert expected in "\n".join(refused(line + "\n"))


@pytest.mark.parametrize("text", ["1e-3", "1.e-3", "1E-3", ".001", "0.001", "+1e-3"])
def test_fault_04_every_float_spelling_is_a_number(load, right, text):
    config = load(right + f"optimizer: {{probe: {{learning_rate: {text}}}, shifts: {text}}}\n")
    assert config.optimizer.probe.learning_rate == 0.001
    assert config.optimizer.shifts.learning_rate == 0.001


def test_fault_05_duplicate_keys_show_both_lines(refused, right):
    lines = refused(right + "output:\n  name: a\n  name: b\ndata: {}\n")
    assert lines[0].startswith("cfg.yaml:5: duplicate key 'name', first given at ")
    assert lines[0].endswith("cfg.yaml:4; keep one")
    assert lines[1].startswith("cfg.yaml:6: duplicate key 'data', first given at ")
    assert lines[1].endswith("cfg.yaml:1; keep one")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir [{folder}]", "!!python/name:os.system ''", "!own x"])
def test_fault_06_tags_are_refused_and_nothing_is_executed(refused, right, tmp_path, tag):
    made = tmp_path / "made"
    (line,) = refused(right + f"output: {tag.format(folder=made)}\n")
    assert line.startswith("cfg.yaml:3: tag ")
    assert "refused" in line
    assert not made.exists()


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, f"more than {MAX_VALUES} values once aliases are expanded"),
        ("data: &a {path: *a}\n", "alias *a contains itself"),
        ("data: *nowhere\n", "alias *nowhere is not defined above"),
        ("data: " + "[" * 5000 + "]" * 5000, "nested deeper than 32 levels"),
        ("data: " + "{a: " * 5000 + "}" * 5000, "nested deeper than 32 levels"),
        ("\n".join(" " * n + "a:" for n in range(1000)), "nested deeper than 32 levels"),
        ("data: " + "- " * 5000, "not YAML"),
        ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 50)), "nest deeper than 32 levels"),
    ],
)
def test_fault_07_bombs_are_refused_quickly_and_in_little_memory(refused, text, expected):
    tracemalloc.start()
    begin = time.perf_counter()
    lines = refused(text)
    seconds, peak = time.perf_counter() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert expected in lines[0]
    assert seconds < 1
    assert peak < 100e6


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "cfg.yaml: the file is empty"),
        (b"# only a comment\n\n", "cfg.yaml: the file is empty"),
        (b"- data\n- scan\n", "cfg.yaml:1: expected sections such as `data:` at the top level, found a list of 2"),
        (b"hello\n", "cfg.yaml:1: expected sections such as `data:` at the top level, found a single value"),
        (b"data:\n\tpath: x\n", "cfg.yaml:2: a tab character; YAML indents with spaces only"),
        ("data: {}".encode("utf-16"), "cfg.yaml: saved as UTF-16; save it as UTF-8"),
        ("data: {}".encode("utf-32"), "cfg.yaml: saved as UTF-32; save it as UTF-8"),
        ("data: {}".encode("utf-16-le"), "cfg.yaml:1: a binary file (or UTF-16 text)"),
        (b"data:\n  path: \xff\n", "cfg.yaml:2: byte 0xff is not UTF-8"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "cfg.yaml: an HDF5 file, not a configuration"),
        (b"#" * 1_000_001, "cfg.yaml: larger than 1,000,000 bytes"),
        (b"data: {}\n---\ndata: {}\n", "cfg.yaml:2: a second document starts here"),
        (b"data: [1, 2\nscan: {}\n", "cfg.yaml:2: not YAML: "),
        (b"? [a, b]\n: 1\n", "cfg.yaml:1: a key must be plain text, not a mapping or list"),
        (b"data: \x07\n", "cfg.yaml:1: not YAML: "),
    ],
)
def test_fault_08_a_file_that_is_no_configuration_gets_a_specific_message(refused, content, expected):
    (line,) = refused(content)
    assert line.startswith(expected)


def test_fault_08_a_utf8_byte_order_mark_is_fine(load, right):
    assert load(b"\xef\xbb\xbf" + right.encode()).illumination.voltage_kv == 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".nan", "expected a finite number, found .nan"),
        ("-.inf", "expected a finite number, found -.inf"),
        ("1e999", "expected a finite number, found 1e999"),
        ("off", "found the text 'off' (YAML 1.1 makes false of it"),
        ("0777", "found the text '0777' (YAML 1.1 makes 511 of it"),
        ("12:30:45", "found the text '12:30:45' (YAML 1.1 makes 45045 of it"),
        ("1_000", "found the text '1_000' (YAML 1.1 makes 1000 of it"),
        ("0,5", "found the text '0,5' (a decimal comma; write a point)"),
        ("true", "found true"),
        ("9" * 400, "expected a finite number, found 999999999"),
    ],
)
def test_fault_09_what_is_no_number_is_shown_as_yaml_read_it(refused, right, text, expected):
    for key in ("scan:\n  jitter_px", "scan:\n  step_px", "optimizer:\n  probe:\n    learning_rate"):
        (line,) = refused(right + f"{key}: {text}\n")
        assert expected in line


@pytest.mark.parametrize("section", ["options: {beta1: .nan}", "shifts: .inf"])
def test_fault_09_nan_is_found_everywhere(refused, right, section):
    (line,) = refused(right + f"optimizer: {{{section}}}\nconstraints: []\n")
    assert "expected a finite number" in line


def test_fault_10_a_missing_path_is_one_line_with_the_nearest_names(tmp_path):
    (tmp_path / "quickstart.yaml").touch()
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "quikstart.yaml")
    assert str(error.value) == f"{tmp_path / 'quikstart.yaml'}: no such file; did you mean quickstart.yaml?"
    with pytest.raises(ConfigError, match="its folder does not exist either"):
        load_config(tmp_path / "no" / "cfg.yaml")


def test_fault_10_a_directory_an_unreadable_file_and_an_impossible_name(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"is a folder, not a configuration file\Z"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / ("x" * 300 + ".yaml"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b.yaml")

    def denied(*_: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)  # the superuser may read everything, so modes prove nothing
    with pytest.raises(ConfigError, match=r"cfg.yaml: cannot be read: Permission denied\Z"):
        load_config("cfg.yaml")


def test_fault_10_an_unknown_suffix_names_the_right_ones(refused, right):
    assert refused(right, name="cfg.txt") == ["cfg.txt: expected a configuration ending in .yaml, .yml, .json or .toml"]


def test_fault_11_relative_paths_belong_to_the_folder_of_the_configuration(load, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load(
        "data: {path: ../d.h5, mask_path: m.npy}\nillumination: {voltage_kv: 80, path: p.h5}\n"
        "calibration: {mode: file}\n"
        "scan: {path: sub/s.h5}\nobject: {path: o.h5}\ntruth: {path: t.h5, key: k}\n"
        "simulation: {atoms: {path: a.xyz}}\noutput: {folder: out}\n"
    )
    assert config.data.path == str(tmp_path.parent / "d.h5")
    assert config.data.mask_path == str(tmp_path / "m.npy")
    assert config.illumination.path == str(tmp_path / "p.h5")
    assert config.scan.path == os.path.join(tmp_path, "sub", "s.h5")
    assert config.object.path == str(tmp_path / "o.h5")
    assert config.truth.path == str(tmp_path / "t.h5")
    assert config.simulation.atoms.path == str(tmp_path / "a.xyz")
    assert config.output.folder == str(elsewhere / "out")


def test_fault_12_set_of_an_unknown_path_meets_the_same_validator(refused, right):
    assert refused(right, "reconstruction.iteration=5", "objct.slices=2") == [
        "--set reconstruction.iteration=5: reconstruction.iteration: unknown key; did you mean iterations?",
        "--set objct.slices=2: objct: unknown key; did you mean object?",
    ]


@pytest.mark.parametrize("value", ["0", "-2", "[2.0, 0]", "2e-10"])
def test_fault_40_slice_thickness_must_be_positive(refused, right, value):
    (line,) = refused(right + f"object: {{slices: 3, slice_thickness_angstrom: {value}}}\n")
    assert line.startswith("cfg.yaml:3: object.slice_thickness_angstrom")
    assert "must be greater than 0 (angstrom)" in line or "did you mean 2 (angstrom)" in line
