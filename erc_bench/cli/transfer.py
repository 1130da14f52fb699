"""`erc-bench transfer`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from erc_bench.cli import options
from erc_bench.cli.output import say
from erc_bench.errors import SomeRunsFailedError

EPILOG = """\b
Examples:
  erc-bench run --system tfidf-logreg --train-on dailydialog --dataset meld
  erc-bench run --system tfidf-logreg --dataset meld
  erc-bench transfer
  erc-bench transfer --system tfidf-logreg --format md,csv,html,svg --output-dir boards
\b
`erc-bench leaderboard --protocol transfer` shows all rows of a test corpus with their ranks,
`erc-bench data labels` which labels of two corpora are counterparts."""


@click.command(cls=options.Command, epilog=EPILOG)
@options.results_dir
@click.option("--output-dir", type=options.FOLDER, help="Where to write the files.  [default: the results folder]")
@click.option("--system", metavar="TITLE", help="Only this system, titled as on a board.  [default: all]")
@click.option(
    "--format",
    "formats",
    default="md,csv",
    show_default=True,
    metavar="LIST",
    help="Files to write: md, csv, html, and png and svg for pictures, separated by commas.",
)
@options.data_dir
@options.as_json
def transfer(
    results_dir: Path,
    output_dir: Path | None,
    system: str | None,
    formats: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show what systems trained on one dataset reach on another: a matrix of both, for each system."""
    from erc_bench.board.formats.transfer_files import parse_formats, values, write_matrices
    from erc_bench.board.transfer import MEANING, build_matrices, matrix_table, pair_table
    from erc_bench.progress import default_progress

    names = parse_formats(formats)
    every, problems = build_matrices(results_dir, system=system, data_dir=data_dir, progress=default_progress())
    paths = write_matrices(every, output_dir or results_dir, names)
    if as_json:
        pairs = [values(cell) for cells in every.values() for cell in cells]
        click.echo(json.dumps({"pairs": pairs, "files": [str(path) for path in paths]}, indent=2, ensure_ascii=False))
    else:
        from erc_bench.board.formats.terminal import print_tables

        say(MEANING)
        print_tables(((title, matrix_table(cells)) for title, cells in every.items()), sys.stdout)
        print_tables([("All pairs", pair_table(every))], sys.stdout)
    for path in paths:
        say(f"wrote {path}", err=True)
    if problems:
        lines = [f"- {problem}" for problem in problems]
        raise SomeRunsFailedError("\n".join(["some runs are left out of what was written:", *lines]))
