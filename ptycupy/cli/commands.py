"""The commands, one function each: takes the parsed arguments, prints its result, returns the exit code."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptycupy.errors import ConfigError, ResourceError

if TYPE_CHECKING:
    from ptycupy.config import Loaded


def _how_to_run(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `recon` and `batch` have in common, as the functions behind them name it."""
    names = ("overrides", "backend", "resume", "overwrite", "quiet", "ptyrad", "allow_unsupported")
    page = {"live": arguments.live or arguments.port is not None, "live_port": arguments.port or 0}
    return {name: getattr(arguments, name) for name in names} | page


def recon(arguments: argparse.Namespace) -> int:
    """Reconstruct; the exit code tells how it ended."""
    from ptycupy.api import reconstruct

    result = reconstruct(arguments.config, **_how_to_run(arguments), distributed=True)
    if result.rank == 0:
        print(result.folder)
    return result.exit_code


def resolution(arguments: argparse.Namespace) -> int:
    """Reconstruct two halves of a run's data, and print how well they agree."""
    from ptycupy.api.halves import measure_resolution

    found = measure_resolution(
        arguments.run,
        by=arguments.by,
        overrides=arguments.overrides,
        backend=arguments.backend,
        resume=arguments.resume,
        quiet=arguments.quiet,
        distributed=True,
    )
    if found.halves is not None:
        print(found)
    if found.rank == 0:
        print(found.folder)
    return found.exit_code


def batch(arguments: argparse.Namespace) -> int:
    """Run a list of reconstructions and print how each ended; the exit code is that of the first that failed."""
    from ptycupy.api import reconstruct_batch

    result = reconstruct_batch(arguments.config, **_how_to_run(arguments), distributed=True)
    if result.rank == 0:
        print(result)
        print(result.folder)
    return result.exit_code


def tune(arguments: argparse.Namespace) -> int:
    """Work on a study until it has all of its trials; the exit code tells how it ended."""
    from ptycupy.tune import tune as search

    found = search(
        arguments.config,
        overrides=arguments.overrides,
        backend=arguments.backend,
        workers=arguments.workers,
        quiet=arguments.quiet,
        ptyrad=arguments.ptyrad,
        allow_unsupported=arguments.allow_unsupported,
    )
    print(found.folder)
    return found.exit_code


def validate(arguments: argparse.Namespace) -> int:
    """Check the configuration alone."""
    for note in _load(arguments).notes:
        print(note)
    print(f"{arguments.config}: valid")
    return 0


def plan(arguments: argparse.Namespace) -> int:
    """Print what a reconstruction will take; 4 where it does not fit."""
    from ptycupy.api.plan import plan as forecast

    found = forecast(
        arguments.config,
        overrides=arguments.overrides,
        backend=arguments.backend,
        gpu=arguments.gpu,
        bytes_per_second=arguments.copy_gb_per_s,
        flops_per_second=arguments.fft_gflop_per_s,
        ranks=arguments.ranks,
        link_bytes_per_second=arguments.link_gb_per_s,
        ptyrad=arguments.ptyrad,
        allow_unsupported=arguments.allow_unsupported,
    )
    print(found)
    return 0 if found.fits else ResourceError.exit_code


def convert(arguments: argparse.Namespace) -> int:
    """Write or print the native configuration that PtyRAD's parameters mean."""
    from ptycupy.config import converted

    text = converted(_load(arguments))
    if arguments.output is None:
        print(text, end="")
        return 0
    _write_new(Path(arguments.output), text)
    print(f"{arguments.output}: written")
    return 0


def _load(arguments: argparse.Namespace) -> Loaded:
    from ptycupy.config import read_config

    return read_config(
        arguments.config,
        arguments.overrides,
        ptyrad=arguments.ptyrad,
        allow_unsupported=arguments.allow_unsupported,
    )


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; give another name, or remove it first") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


def schema(arguments: argparse.Namespace) -> int:
    """Print the JSON schema."""
    from ptycupy.config import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


def new(arguments: argparse.Namespace) -> int:
    """Write or print the commented template."""
    from ptycupy.config import template

    if arguments.file is None:
        print(template(), end="")
        return 0
    path = Path(arguments.file)
    _write_new(path, template())
    print(f"{path}: written; `ptycupy validate {path}` checks it")
    return 0


def info(arguments: argparse.Namespace) -> int:
    """Describe a data file."""
    from ptycupy.data import describe

    print(describe(arguments.file))
    return 0


def quick(arguments: argparse.Namespace) -> int:
    """Look at a scan, and print what was found and where the picture and the configuration are."""
    from ptycupy.api.quick import Known, quick
    from ptycupy.config.schema import Data

    scan, detector = arguments.scan_shape, arguments.detector_shape
    data = Data(path=arguments.file, key=arguments.key, scan_shape=scan, detector_shape=detector)
    known = Known(
        arguments.voltage_kv, arguments.convergence_angle_mrad, arguments.step_angstrom, arguments.defocus_angstrom
    )
    found = quick(data, known, None if arguments.output is None else Path(arguments.output))
    print(found)
    print(found.folder)
    return 0


def simulate(arguments: argparse.Namespace) -> int:
    """Simulate a data set and its ground truth into one file."""
    from ptycupy.api import simulate_to_file

    default = Path.cwd() / f"{Path(arguments.config).stem}_simulated.h5"
    path = Path(arguments.output) if arguments.output else default
    simulate_to_file(arguments.config, path, overrides=arguments.overrides, overwrite=arguments.overwrite)
    print(path)
    return 0


def export_patterns(arguments: argparse.Namespace) -> int:
    """Write the prepared patterns for other programs."""
    from ptycupy.api import export_patterns as export

    path = export(
        arguments.config,
        arguments.output,
        overrides=arguments.overrides,
        reshape=None if arguments.reshape is None else tuple(arguments.reshape),
        append_shape=arguments.append_shape,
        mat_version=arguments.mat_version,
        overwrite=arguments.overwrite,
    )
    print(path)
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a reconstruction for another program."""
    from ptycupy.api import export as write

    print(write(arguments.result, arguments.out, arguments.to, overwrite=arguments.overwrite))
    return 0


def bench(arguments: argparse.Namespace) -> int:
    """Measure, and write or print the record."""
    from ptycupy.bench.run import FULL, QUICK, SUITES, run_suites, write_record

    suites = SUITES if arguments.suite == "all" else (arguments.suite,)
    path = None if arguments.out is None else Path(arguments.out)
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}")
    record = run_suites(arguments.backend, suites, QUICK if arguments.quick else FULL, arguments.graphs, arguments.fft)
    if path is None:
        print(json.dumps(record, indent=1))
        return 0
    write_record(path, record)
    print(path)
    return 0


def guide(arguments: argparse.Namespace) -> int:
    """Show a page of the guide, or what pages there are."""
    import sys

    from ptycupy.guide import page, topics

    if arguments.topic is None:
        found = topics()
        width = max(map(len, found))
        for name, title in found.items():
            print(f"{name:{width}}  {title}")
        return 0
    text = page(arguments.topic)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        print(text, end="")
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    """Print the state of this installation; 0 where the backend that a run takes by itself computes right results."""
    from ptycupy.doctor import doctor as examine

    report = examine()
    print(report)
    return 0 if report.healthy else 1
