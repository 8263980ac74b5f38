"""PtyRAD files at the door: recognised, located, refused, converted, and Python only where it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptycupy import api
from ptycupy.cli import main
from ptycupy.config import load_config, load_ptyrad, read_config
from ptycupy.errors import ConfigError

REPOSITORY = Path(__file__).parents[3]
TEXT = """\
init_params:
  probe_kv: 80
  probe_conv_angle: 24.9
  meas_Npix: 128
  pos_N_scan_slow: 24
  pos_N_scan_fast: 24
  pos_scan_step_size: 0.429
  obj_Nlayer: 6
  obj_slice_thickness: 2
  meas_params: {path: data/x.h5, key: dp}
"""
TOML = """\
[init_params]
probe_kv = 80
probe_conv_angle = 24.9
meas_Npix = 128
pos_N_scan_slow = 24
pos_N_scan_fast = 24
pos_scan_step_size = 0.429
obj_Nlayer = 6
obj_slice_thickness = 2
meas_params = {path = "data/x.h5", key = "dp"}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file into a folder that is not the current one."""
    (tmp_path / "here").mkdir()
    (tmp_path / "params").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def written(text: str = TEXT, name: str = "params.yaml") -> Path:
        path = tmp_path / "params" / name
        path.write_text(text)
        return path

    return written


def refusal(path, **options):
    with pytest.raises(ConfigError) as error:
        read_config(path, **options)
    return str(error.value).replace(f"{path}", path.name).splitlines()


def test_yaml_json_and_toml_mean_the_same(write):
    values = {"init_params": _plain()}
    yaml = load_config(write())
    assert load_config(write(json.dumps(values), "p.json")) == yaml
    assert load_config(write(TOML, "p.toml")) == yaml
    assert load_ptyrad(write())[0] == yaml
    assert api.settle(write(), (), None)[0] == yaml


def test_problems_have_their_place_and_the_nearest_key(write):
    text = TEXT.replace("probe_kv", "probe_kV2").replace("Npix: 128", "Npix: many") + "recon_params: {NITR: 5}\n"
    lines = refusal(write(text))
    assert lines[0] == "params.yaml:2: init_params.probe_kV2: unknown key; did you mean probe_kv?"
    assert lines[1] == "params.yaml:4: init_params.meas_Npix: expected a whole number (px), found the text 'many'"
    assert lines[2] == "params.yaml:11: recon_params.NITR: unknown key; did you mean NITER?"


def test_what_our_own_checks_refuse_has_the_place_in_ptyrad_s_file(write):
    (line,) = refusal(write(TEXT.replace("probe_kv: 80", "probe_kv: 80000")))
    assert line.startswith("params.yaml:2: illumination.voltage_kv: 80000 kV?")


def test_ptyrad_forces_it(write):
    assert refusal(write("data: {path: x}\n"), ptyrad=True)[0].startswith("params.yaml:1: data: unknown key")


def test_fault_13_unsupported_options_are_listed_with_their_effect_and_refused(write, capsys):
    muon = "model_params: {optimizer_params: {name: Muon}}\n"
    path = write(TEXT + "hypertune_params: {if_hypertune: true}\n" + muon)
    assert main(["validate", str(path)]) == 2
    shown = capsys.readouterr().err
    assert "model_params.optimizer_params.name: Muon: orthogonalises matrices" in shown
    assert "hypertune_params.if_hypertune: true: no key of tune_params is on" in shown
    assert "--allow-unsupported" in shown
    assert main(["validate", "--allow-unsupported", str(path)]) == 0


def test_overrides_apply_after_the_translation(write):
    config = load_config(write(), ["truth.path=t.h5", "truth.key=phase", "constraints.depth_blur.std=2"])
    assert config.truth.key == "phase"
    assert {one.name: one.model_extra for one in config.constraints}["depth_blur"]["std"] == 2


def test_relative_paths_are_looked_for_here_and_then_beside_the_file(write, tmp_path):
    path = write()
    here, beside = tmp_path / "here" / "data" / "x.h5", tmp_path / "params" / "data" / "x.h5"
    config, notes = load_ptyrad(path)
    assert config.data.path == str(here)
    assert f"no such file: tried {here} and {beside}" in [note.effect for note in notes]
    beside.parent.mkdir()
    beside.touch()
    assert load_config(path).data.path == str(beside)
    here.parent.mkdir()
    here.touch()
    assert load_config(path).data.path == str(here)


def test_convert_writes_a_file_that_loads_to_the_same(write, tmp_path, capsys):
    path, native = write(), tmp_path / "native.yaml"
    assert main(["convert", str(path), "-o", str(native)]) == 0
    assert native.read_text().startswith("# Translated from parameters of PtyRAD.")
    assert "# recon_params.GROUP_MODE: " in native.read_text()
    assert load_config(native) == load_config(path)
    capsys.readouterr()
    assert main(["convert", str(path)]) == 0
    assert capsys.readouterr().out == native.read_text()
    assert main(["convert", str(path), "-o", str(native)]) == 2


def test_python_runs_only_where_it_is_asked_for(write, tmp_path):
    trace = tmp_path / "ran"
    text = f"open({str(trace)!r}, 'w').close()\ninit_params = {_plain()!r}\n"
    path = write(text, "params.py")
    for read in (read_config, load_config, load_ptyrad):
        with pytest.raises(ConfigError, match="not run unasked"):
            read(path)
    assert not trace.exists()
    assert read_config(path, ptyrad=True).config == load_config(write())
    assert trace.exists()


def test_functions_of_a_python_file_become_numbers_that_convert(write, tmp_path):
    rates = "{'name': 'LambdaLR', 'configs': {'lr_lambda': lambda step: 0.5**step}}"
    text = (
        f"init_params = {_plain()!r}\nmodel_params = {{'scheduler_params': {rates}}}\nrecon_params = {{'NITER': 3}}\n"
    )
    path = write(text, "params.py")
    native = tmp_path / "native.yaml"
    assert main(["convert", "--ptyrad", str(path), "-o", str(native)]) == 0
    config = load_config(native)
    assert config.optimizer.schedule.options == {"factors": (1.0, 0.5, 0.25)}
    assert config == read_config(path, ptyrad=True).config


@pytest.mark.parametrize(
    ("text", "expected"),
    [("init_params = {", "params.py:1: not Python"), ("1 / 0", "ZeroDivisionError"), ("a = 1", "defines none of")],
)
def test_python_that_fails_is_one_message(write, text, expected):
    assert expected in refusal(write(text, "params.py"), ptyrad=True)[0]


def _plain():
    return {
        "probe_kv": 80, "probe_conv_angle": 24.9, "meas_Npix": 128, "pos_N_scan_slow": 24, "pos_N_scan_fast": 24,
        "pos_scan_step_size": 0.429, "obj_Nlayer": 6, "obj_slice_thickness": 2,
        "meas_params": {"path": "data/x.h5", "key": "dp"},
    }  # fmt: skip


def test_our_example_is_the_native_one_but_for_the_jitter():
    theirs = load_config(REPOSITORY / "configs" / "ptyrad_wse2.yaml")
    ours = load_config(REPOSITORY / "configs" / "multislice_wse2.yaml")
    assert theirs.scan.jitter_px == 0.15
    assert theirs.losses == ours.losses
    assert theirs.optimizer == ours.optimizer
    assert {one.name for one in theirs.constraints} == {one.name for one in ours.constraints}
    assert theirs.reconstruction.batch_size == ours.reconstruction.batch_size
