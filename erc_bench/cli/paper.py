"""`erc-bench paper`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from erc_bench.cli import options
from erc_bench.cli.output import say

EPILOG = """\b
Examples:
  erc-bench paper
  erc-bench paper --table 2 --table 5
  erc-bench paper --results-dir leaderboard --figure 3 --format md
  erc-bench paper --table 6 --model all-mpnet-base-v2=models/mpnet
\b
Measured cells come from run records, the dataset and the files of models on this machine; a
dash says that no run fills the cell, and the command that would stands under its table. Writes
paper.md, paper.csv, and the figures as PNG and SVG; with --table or --figure the files are
named after what was asked for."""


@click.command(cls=options.Command, epilog=EPILOG)
@options.results_dir
@click.option("--output-dir", type=options.FOLDER, help="Where to write the files.  [default: the results folder]")
@click.option(
    "--format", "formats", default="md,csv", show_default=True, metavar="LIST", help="Files to write: md, csv."
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    type=click.IntRange(1, 6),
    metavar="N",
    help="Only this table (1-6); repeatable.",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    type=click.IntRange(3, 4),
    metavar="N",
    help="Only this figure (3, 4); repeatable.",
)
@click.option(
    "--model", "models", multiple=True, metavar="NAME=FOLDER", help="Where a model of Table 6 lies; repeatable."
)
@click.option("--dataset", "dataset_name", default="dailydialog", show_default=True, metavar="NAME")
@options.data_dir
@options.as_json
def paper(
    results_dir: Path,
    output_dir: Path | None,
    formats: str,
    tables: tuple[int, ...],
    figures: tuple[int, ...],
    models: tuple[str, ...],
    dataset_name: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Print and write the tables of the paper, published and measured side by side."""
    from erc_bench.data import load_dataset
    from erc_bench.paper.build import build_paper, parse_formats, read_runs, write_paper
    from erc_bench.paper.render import records
    from erc_bench.paper.sizes import parse_models
    from erc_bench.paper.terminal import print_tables

    names, folders = parse_formats(formats), parse_models(models)
    place = options.folder_to_write(output_dir, results_dir)
    dataset = load_dataset(dataset_name, data_dir=data_dir)
    runs = read_runs(results_dir)
    found = build_paper(dataset, runs, tables=tables, figures=figures, models=folders)
    paths = write_paper(found, place, names)
    if as_json:
        say(json.dumps(records(found.tables), indent=2, ensure_ascii=False))
    else:
        print_tables(found.tables, found.introduction, sys.stdout)
    if not found.measurements.rows:
        say(f"no complete run on {dataset.name} in {results_dir}: measured cells come from the dataset alone", err=True)
    for path in paths:
        say(f"wrote {path}", err=True)
