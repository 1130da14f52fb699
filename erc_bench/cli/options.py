"""Options that several commands share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

FOLDER: click.Path = click.Path(file_okay=False, path_type=Path)


class Command(click.Command):
    """A command that refuses an option given twice where only one value is meant, instead of taking the last."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for parameter, times in Counter(given).items():
            if times > 1 and isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag):
                raise click.UsageError(f"{parameter.opts[-1]} must be given once, got it {times} times.", ctx)
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def data_dir(function: Decorated) -> Decorated:
    """`--data-dir`: where the real data lies."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="Folder that holds the dataset, itself or in a subfolder of its name. "
        "Default: ERC_BENCH_DATA_DIR, else the download folder.",
    )(function)


class Device(click.ParamType[str]):
    """The name of a device as torch has it, or `auto`."""

    name = "DEVICE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself, if it is one; whether this machine has the device is asked where it is used."""
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", str(value)):
            self.fail(f"a device must be cpu, cuda, cuda:N, mps or auto, got {value!r}", param, ctx)
        return str(value)


def device(function: Decorated) -> Decorated:
    """`--device`: where a system computes."""
    return click.option(
        "--device", type=Device(), default="auto", show_default=True, help="cpu, cuda, cuda:1, mps or auto."
    )(function)


def dataset_of_rows(function: Decorated) -> Decorated:
    """`--dataset`: which dataset's rows are meant, by its name or by the folder of one's own."""
    return click.option(
        "--dataset",
        "dataset_name",
        metavar="NAME",
        callback=_name_of_dataset,
        help="The dataset of the rows, where several datasets have them.",
    )(function)


def _name_of_dataset(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    from erc_bench.data.registry import dataset_name

    return None if value is None else dataset_name(value)


def subset(function: Decorated) -> Decorated:
    """`--subset`: which test dialogues count; a name that a subset once had is read as the one it has now."""
    return click.option(
        "--subset",
        default="all",
        show_default=True,
        metavar="NAME",
        callback=_name_of_subset,
        help="Which test dialogues: all, not-verbatim, novel, annotated-twice.",
    )(function)


def _name_of_subset(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from erc_bench.protocols.subsets import RENAMED, SUBSETS

    if value in RENAMED:
        now = SUBSETS[RENAMED[value]]
        click.echo(f"note: the subset {value} is now called {now.name} ({now.short}).", err=True)
    return RENAMED.get(value, value)


def results_dir(function: Decorated) -> Decorated:
    """`--results-dir`: where run records are read; of those in a bucket, the copy on this machine."""
    return _results(function, _read_here)


def results_place(function: Decorated) -> Decorated:
    """`--results-dir`: where run records go, a folder or the URL of a bucket."""
    return _results(function, None)


def _results(
    function: Decorated, callback: Callable[[click.Context, click.Parameter, Path | str], Path] | None
) -> Decorated:
    return click.option(
        "--results-dir",
        type=Results(),
        default="results",
        show_default=True,
        callback=callback,
        help="Folder of the run records, or a bucket (s3://…).",
    )(function)


class Results(click.ParamType[Path | str]):
    """A folder as a path, a bucket as the URL that it is."""

    name = "DIRECTORY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """Tell them apart."""
        return value if "://" in str(value) else Path(str(FOLDER.convert(value, param, ctx)))


def _read_here(_ctx: click.Context, _param: click.Parameter, value: Path | str) -> Path:
    if isinstance(value, Path):
        return value
    from erc_bench.progress import default_progress
    from erc_bench.records.storage import local_copy

    return local_copy(value, default_progress())


def folder_to_write(output_dir: Path | None, results_dir: Path) -> Path:
    """Where a command writes what it made of run records: beside them, unless they lie in a bucket.

    Raises
    ------
    UsageError
        Nobody said where, and they do.
    """
    from erc_bench.records.storage import is_copy

    if output_dir is None and is_copy(results_dir):
        raise click.UsageError("--output-dir must name a folder where --results-dir is a bucket, got none.")
    return output_dir or results_dir


def as_json(function: Decorated) -> Decorated:
    """`--json`: output for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(function)
