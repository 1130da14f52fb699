"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

FOLDER: click.Path = click.Path(file_okay=False, path_type=Path)


def data_dir(function: Decorated) -> Decorated:
    """`--data-dir`: where the real data lies."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="Folder with the dataset's archives or extracted folders. "
        "Default: ERC_BENCH_DATA_DIR, else the download folder.",
    )(function)


def results_dir(function: Decorated) -> Decorated:
    """`--results-dir`: where run records lie."""
    return click.option(
        "--results-dir", type=FOLDER, default=Path("results"), show_default=True, help="Folder of the run records."
    )(function)


def as_json(function: Decorated) -> Decorated:
    """`--json`: output for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(function)
