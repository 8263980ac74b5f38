"""The command line. Everything heavy is imported inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from ptycupy import __version__
from ptycupy.errors import PtycupyError

EPILOG = """\
a first reconstruction:
  ptycupy info scan.h5          what is in the file
  ptycupy quick scan.h5         looks at it: images, aperture, orientation, and a first configuration
  ptycupy new scan.yaml         a commented configuration; fill in what it asks for
  ptycupy validate scan.yaml
  ptycupy recon scan.yaml       prints the folder with result.h5, images and figures

exit codes: 0 ok, 1 internal error, 2 configuration, 3 data, 4 memory, disk or GPU, 5 divergence, 130 Ctrl-C,
143 SIGTERM. `ptycupy COMMAND --help` shows the options of a command.
"""
CLOSED_PIPE = 0
INTERNAL = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 ok, 1 internal, 2 configuration, 3 data, 4 resource, 5 numerics,
    130 Ctrl-C, 143 SIGTERM. Refusals are one message on stderr; `--help` and usage errors raise SystemExit."""
    _open_standard_streams()
    try:
        try:
            code = _run(_parser().parse_args(argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone; pointing stdout elsewhere keeps the exit from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    return code


def _run(arguments: argparse.Namespace) -> int:
    from ptycupy.cli import commands
    from ptycupy.reconstruction.logs import console

    command = getattr(commands, arguments.command.replace("-", "_"))
    with console(_level(arguments)):
        try:
            return int(command(arguments))
        except PtycupyError as error:
            if not error.told:
                _tell(f"error: {error}")
            return error.exit_code
        except KeyboardInterrupt as error:
            _tell("stopped")
            return int(getattr(error, "exit_code", 130))
        except BrokenPipeError:
            raise
        except Exception as error:  # a defect of ours: short for the user, whole where it was asked for
            _tell(f"internal error: {type(error).__name__}: {error} (-v shows where; please report it)")
            if getattr(arguments, "verbose", False):
                import traceback

                traceback.print_exc()
            return INTERNAL


def _level(arguments: argparse.Namespace) -> int:
    import logging

    if getattr(arguments, "quiet", False):
        return logging.WARNING
    return logging.DEBUG if getattr(arguments, "verbose", False) else logging.INFO


def _tell(text: str) -> None:
    try:
        print(f"ptycupy: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # stderr is gone; the exit code still says it
        return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ptycupy",
        description="Electron and X-ray ptychography: from diffraction patterns to the specimen.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ptycupy {__version__}")
    loudness = argparse.ArgumentParser(add_help=False)
    group = loudness.add_mutually_exclusive_group()
    group.add_argument("-v", "--verbose", action="store_true", help="show details, and where an internal error is")
    group.add_argument("-q", "--quiet", action="store_true", help="show warnings and errors only")
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument("config", metavar="CFG", help="configuration, ours or PtyRAD's: YAML, JSON or TOML")
    settings.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[],
        help="change one key, e.g. --set reconstruction.iterations=50; may be repeated",
    )  # fmt: skip
    foreign = argparse.ArgumentParser(add_help=False)
    foreign.add_argument(
        "--ptyrad", action="store_true", help="take CFG for a parameter file of PtyRAD; runs it where it ends in .py"
    )
    foreign.add_argument(
        "--allow-unsupported", action="store_true", help="go on where an option of PtyRAD has no equivalent"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--backend", type=_device, metavar="auto|cpu|cuda|cuda:1",
        help="where to compute, in place of backend.device: auto takes a GPU where there is one, cuda:1 a certain one",
    )  # fmt: skip
    earlier = where.add_mutually_exclusive_group()
    earlier.add_argument(
        "--resume", action="store_true", help="go on from the newest good checkpoint of the newest run of CFG"
    )
    earlier.add_argument(
        "--overwrite", action="store_true", help="replace the results in the folder that output.name names"
    )
    page = argparse.ArgumentParser(add_help=False)
    page.add_argument(
        "--live", action="store_true",
        help="show the run on a page of this computer, to watch, pause, stop and steer it; prints its address",
    )  # fmt: skip
    page.add_argument("--port", type=_port, metavar="N", help="of that page; by default one that is free")
    parents = [settings, where, foreign, page, loudness]
    commands.add_parser("recon", parents=parents, help="reconstruct what CFG describes")
    commands.add_parser(
        "batch", parents=parents, help="run a list of reconstructions: a time series, several fields of a specimen"
    )
    _add_resolution(commands, loudness)
    tune = commands.add_parser(
        "tune", parents=[settings, foreign, loudness],
        help="find the best values of the keys that CFG's section `tune` names; join a study that others work on",
    )  # fmt: skip
    tune.add_argument("--backend", type=_device, metavar="auto|cpu|cuda|cuda:1", help="in place of backend.device")
    tune.add_argument(
        "--workers", metavar="N|gpu:0,gpu:1",
        help="start so many processes here, or one on each GPU; without it this process works alone",
    )  # fmt: skip
    commands.add_parser("validate", parents=[settings, foreign, loudness], help="check a configuration; reads no data")
    plan = commands.add_parser(
        "plan", parents=[settings, foreign, loudness],
        help="predict memory, time per iteration and the best batch of CFG from the headers of its data",
    )  # fmt: skip
    plan.add_argument("--backend", type=_device, metavar="auto|cpu|cuda|cuda:1", help="in place of backend.device")
    plan.add_argument(
        "--gpu", metavar="NAME", help="predict for a GPU that is not here: H200, A100 or 'RTX 4090'; none was measured"
    )
    plan.add_argument("--copy-gb-per-s", type=_rate, metavar="X", help="memory's rate, instead of the one measured")
    plan.add_argument("--fft-gflop-per-s", type=_rate, metavar="X", help="of transforms, instead of the one measured")
    plan.add_argument("--ranks", type=int, default=1, metavar="N", help="of one of N processes with such a device each")
    plan.add_argument("--link-gb-per-s", type=_rate, metavar="X", help="between ranks; 1.3 through one host's memory")
    convert = commands.add_parser(
        "convert", parents=[settings, foreign, loudness], help="write PtyRAD's parameters as a configuration of our own"
    )
    convert.add_argument("-o", "--output", metavar="FILE", help="where to; printed if absent")
    commands.add_parser("schema", parents=[loudness], help="print the JSON schema of the configuration, for editors")
    new = commands.add_parser("new", parents=[loudness], help="write a commented configuration to start from")
    new.add_argument("file", nargs="?", metavar="FILE", help="where to; printed if absent")
    info = commands.add_parser("info", parents=[loudness], help="show what a data file holds")
    info.add_argument("file", metavar="FILE", help="HDF5, .npy, TIFF or EMPAD .raw")
    _add_quick(commands, loudness)
    simulate = commands.add_parser("simulate", parents=[settings, loudness], help="simulate the data set of CFG")
    simulate.add_argument("--output", metavar="FILE", help="HDF5 file to write; by default <CFG>_simulated.h5 here")
    simulate.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    result = commands.add_parser(
        "export", parents=[loudness],
        help="write a reconstruction for PtyRAD, phaser, ptychodus, py4DSTEM, PtyPy and others, or bring theirs here",
    )  # fmt: skip
    result.add_argument("result", metavar="RUN_OR_RESULT", help="run folder, result.h5, or a file of one of them")
    result.add_argument(
        "--to", required=True, metavar="FORMAT",
        help="ptyrad, phaser, ptychodus, ptychodus-npz, py4dstem, quantem, cxi, ptypy, npz, mat or ptycupy (result.h5)",
    )  # fmt: skip
    result.add_argument("--out", metavar="FILE", help="where to; beside what was read if absent")
    result.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")
    export = commands.add_parser(
        "export-patterns", parents=[settings, loudness], help="write the patterns as CFG prepares them"
    )
    export.add_argument("output", metavar="OUT", help="file to write: .h5, .npy, .tif or .mat")
    export.add_argument(
        "--reshape", type=int, nargs="+", metavar="N", help="shape of the array, e.g. 128 128 256 256 for a scan's grid"
    )
    export.add_argument("--append-shape", action="store_true", help="put the shape into the file's name")
    export.add_argument("--mat-version", choices=("5", "7.3"), default="7.3", help="of a .mat file")
    export.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    bench = commands.add_parser("bench", parents=[loudness], help="measure this machine and what ptycupy makes of it")
    bench.add_argument(
        "--backend", type=_device, default="auto", metavar="auto|cpu|cuda|cuda:1", help="what to measure"
    )
    bench.add_argument(
        "--suite", choices=("ops", "iteration", "paper", "load", "quality", "all"), default="all",
        help="ops; seconds per iteration in short sweeps, or on the grids of PtyRAD's paper; how busy "
        "the device is in a minute of small batches; SSIM against time",
    )  # fmt: skip
    bench.add_argument("--graphs", choices=("auto", "off", "on"), default="auto", help="CUDA graphs; auto is off")
    transforms = ("auto", "cufft", "own", "steps", "whole")
    bench.add_argument("--fft", choices=transforms, default="auto", help="as backend.fft; auto is cufft on a GPU")
    bench.add_argument("--quick", action="store_true", help="fewer points and shorter runs: minutes instead of hours")
    bench.add_argument("--out", metavar="FILE.json", help="where to write the record; printed if absent")
    guide = commands.add_parser("guide", parents=[loudness], help="read the user guide")
    guide.add_argument("topic", nargs="?", metavar="TOPIC", help="a page; all pages are listed if absent")
    commands.add_parser("doctor", parents=[loudness], help="check this installation and what it can use")
    return parser


def _add_resolution(commands: Any, loudness: argparse.ArgumentParser) -> None:
    resolution = commands.add_parser(
        "resolution", parents=[loudness],
        help="measure the resolution of a run: Fourier ring correlation of two halves of its data",
    )  # fmt: skip
    resolution.add_argument("run", metavar="RUN", help="a finished run's folder, or a configuration")
    resolution.add_argument(
        "--by", choices=("counts", "positions"), help="what is divided; counts, where the patterns are whole numbers"
    )
    resolution.add_argument(
        "--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[], help="change one key in the halves"
    )
    resolution.add_argument(
        "--backend", type=_device, metavar="auto|cpu|cuda|cuda:1", help="in place of backend.device"
    )
    resolution.add_argument("--resume", action="store_true", help="go on with halves that were begun")


def _add_quick(commands: Any, loudness: argparse.ArgumentParser) -> None:
    quick = commands.add_parser(
        "quick", parents=[loudness],
        help="look at a scan in seconds: images, aperture, orientation, overlap, dose, and a first configuration",
    )  # fmt: skip
    quick.add_argument("file", metavar="FILE", help="the scan's patterns, in any format that recon reads")
    quick.add_argument("--key", metavar="NAME", help="array inside a file that holds several")
    quick.add_argument("--scan-shape", type=int, nargs=2, metavar=("SLOW", "FAST"), help="where the file states none")
    quick.add_argument("--detector-shape", type=int, nargs=2, metavar=("Y", "X"), help="of a raw file")
    for name, meaning in (
        ("voltage-kv", "acceleration voltage"),
        ("convergence-angle-mrad", "convergence semi-angle"),
        ("step-angstrom", "scan step"),
    ):
        quick.add_argument(f"--{name}", type=_positive, metavar="X", help=meaning)
    quick.add_argument("--defocus-angstrom", type=float, metavar="X", help="positive is underfocus")
    quick.add_argument("--output", metavar="FOLDER", help="for quick.png and quick.yaml; default: FILE_quick beside it")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 1 to 65535")
    return int(text)


def _positive(text: str) -> float:
    return _rate(text) / 1e9


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} must be auto, cpu, cuda or cuda:<number>")
    return text


def _rate(text: str) -> float:
    """Per second, from thousands of millions of it."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0")
    return 1e9 * value


def _open_standard_streams() -> None:
    """Streams closed by the caller (`2>&-`) become the null device: a file opened later must not take their place."""
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            try:
                os.fstat(descriptor)
            except OSError:
                os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(os.devnull, "r" if descriptor == 0 else "w", encoding="utf-8"))  # noqa: SIM115
