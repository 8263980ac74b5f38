"""The command line: what each command prints, refuses and returns."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import tiny_run

import ptycupy
from ptycupy.cli import commands, main


def refused(capsys, *arguments):
    """(exit code, message on stderr); a refusal prints nothing else and never a traceback."""
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return code, captured.err


def test_version_and_help(capsys):
    for option, text in (("--version", f"ptycupy {ptycupy.__version__}"), ("--help", "recon"), ("-h", "doctor")):
        with pytest.raises(SystemExit) as caught:
            main([option])
        assert caught.value.code == 0
        assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [[], ["reconstruct"], ["recon"], ["recon", "a", "--backend", "tpu"], ["info", "a", "-v", "-q"]]
)
def test_usage_errors_return_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: ptycupy" in capsys.readouterr().err


def test_new_validate_and_schema(tmp_path, capsys):
    path = tmp_path / "my scan.yaml"
    assert main(["new", str(path)]) == 0
    assert "written" in capsys.readouterr().out
    code, message = refused(capsys, "new", path)
    assert code == 2
    assert "exists" in message
    assert main(["new"]) == 0
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")
    assert main(["schema"]) == 0
    assert "reconstruction" in json.loads(capsys.readouterr().out)["properties"]


def test_validate_takes_overrides(tmp_path, capsys):
    config = tiny_run.write(tmp_path)
    assert main(["validate", str(config), "--set", "reconstruction.iterations=7"]) == 0
    assert capsys.readouterr().out == f"{config}: valid\n"
    code, message = refused(capsys, "validate", config, "--set", "reconstruction.iteratons=7")
    assert code == 2
    assert "iterations" in message


def test_info_describes_a_file(tmp_path, capsys):
    config = tiny_run.write(tmp_path)
    assert main(["info", str(config.parent / "scan.h5")]) == 0
    assert re.search(r"dp\b.*16.*16.*16.*uint16", capsys.readouterr().out)
    assert refused(capsys, "info", tmp_path / "absent.h5")[0] == 3


def test_doctor_reports_and_checks_the_gradient(capsys):
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    assert "agrees with central differences" in report
    assert re.search(r"backend cpu +usable", report)
    assert "numba threads" in report


def test_fault_10_a_missing_unreadable_or_wrong_configuration_is_one_line(tmp_path, capsys):
    for path in (tmp_path / "absent.yaml", tmp_path):
        code, message = refused(capsys, "recon", path)
        assert code == 2
        assert message.count("\n") == 1
        assert str(path) in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_fault_10_an_unreadable_configuration(tmp_path, capsys):
    config = tiny_run.write(tmp_path)
    config.chmod(0)
    assert refused(capsys, "recon", config)[0] == 2


def test_fault_11_data_are_looked_for_beside_the_configuration(tmp_path, capsys, monkeypatch):
    config = tiny_run.write(tmp_path / "there")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (config.parent / "scan.h5").rename(config.parent / "scam.h5")
    code, message = refused(capsys, "recon", config, "--backend", "cpu", "-q")
    assert code == 3
    assert str(config.parent / "scan.h5") in message
    assert not (config.parent / "runs").exists(), "a refused run leaves no folder behind"


@pytest.mark.parametrize(("verbose", "traceback"), [([], False), (["-v"], True)])
def test_internal_errors_are_short_unless_asked(capsys, monkeypatch, verbose, traceback):
    def broken(arguments):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(commands, "schema", broken)
    assert main(["schema", *verbose]) == 1
    error = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: a defect" in error
    assert ("Traceback" in error) is traceback


def test_simulate_writes_one_file_and_does_not_replace_it(tmp_path, capsys, monkeypatch):
    from ptycupy import api

    written = []
    monkeypatch.setattr(api, "settle", lambda *given: (SimpleNamespace(), "tiny", ()))
    monkeypatch.setattr(api, "write_dataset", lambda path, scan: written.append(path) or path)
    monkeypatch.setattr("ptycupy.simulate.simulate", lambda config: None)
    target = tmp_path / "out.h5"
    assert main(["simulate", "tiny.yaml", "--output", str(target)]) == 0
    assert written == [target]
    target.write_text("there")
    code, message = refused(capsys.readouterr() and capsys, "simulate", "tiny.yaml", "--output", target)
    assert (code, len(written)) == (2, 1)
    assert "exists already" in message
    assert main(["simulate", "tiny.yaml", "--output", str(target), "--overwrite"]) == 0


def test_fault_61_a_broken_pipe_is_a_clean_exit():
    process = tiny_run.start("schema")
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 0)
    process.stderr.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell that closes descriptors")
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_fault_61_closed_streams_are_a_clean_exit(closed, tmp_path):
    command = f"{sys.executable} -m ptycupy schema {closed}"
    assert subprocess.run(["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    command = f"{sys.executable} -m ptycupy info {tmp_path}/absent.h5 {closed}"
    assert subprocess.run(["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 3
