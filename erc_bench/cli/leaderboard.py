"""`erc-bench leaderboard`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from erc_bench.cli import options
from erc_bench.cli.output import say
from erc_bench.errors import DataError, SomeRunsFailedError, UsageError

if TYPE_CHECKING:
    from erc_bench.records.record import Run

EPILOG = """\b
Examples:
  erc-bench leaderboard
  erc-bench leaderboard --dataset dailydialog --protocol last-turn --format md,csv,html,latex
  erc-bench leaderboard --dataset sample --format html,svg --output-dir board
  erc-bench leaderboard --across --format md,csv,html
  erc-bench leaderboard --json | jq '.rows[] | select(.subset == "novel")'
\b
Every number is recomputed from the predictions in the run records and the gold labels of the
dataset, which must therefore be there (--data-dir). Rows with the evidence `published` are
copied from papers and never ranked. The files are called leaderboard; those of one dataset or
protocol, or in another order, leaderboard-DATASET-PROTOCOL-by-METRIC. With --across the corpora share
one board (across.md, across.csv): each system's score on each, its mean rank, and what holds on all."""


@click.command(cls=options.Command, epilog=EPILOG)
@options.results_dir
@click.option("--output-dir", type=options.FOLDER, help="Where to write the boards.  [default: the results folder]")
@click.option("--dataset", metavar="NAME", help="Only this dataset.  [default: every dataset with runs]")
@click.option("--protocol", metavar="NAME", help="Only this protocol.  [default: every protocol with rows]")
@click.option(
    "--format",
    "formats",
    default="md,csv",
    show_default=True,
    metavar="LIST",
    help="Files to write: md, csv, html, latex, contrasts (CSV), and png and svg for pictures, separated by commas.",
)
@click.option("--rank-by", metavar="METRIC", help="Rank rows by this metric.  [default: the metric of the dataset]")
@click.option(
    "--contrasts",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file of planned contrasts.  [default: those of the committed board, where their rows are there]",
)
@click.option(
    "--across", is_flag=True, help="One board across all datasets with runs, by one protocol.  [default: utterance]"
)
@options.data_dir
@options.as_json
def leaderboard(
    results_dir: Path,
    output_dir: Path | None,
    dataset: str | None,
    protocol: str | None,
    formats: str,
    rank_by: str | None,
    contrasts: Path | None,
    across: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Compute the leaderboard from all run records, write it and print it."""
    from erc_bench.board.build import build_boards, parse_formats, stem_of, write_boards
    from erc_bench.data.registry import dataset_name
    from erc_bench.progress import default_progress
    from erc_bench.toolkit.threads import available_threads

    names, place = parse_formats(formats), options.folder_to_write(output_dir, results_dir)
    if across:
        for option, value in (("--dataset", dataset), ("--contrasts", contrasts)):
            if value is not None:
                raise UsageError(
                    f"{option} must not be given with --across, which takes all datasets and pairs, got {value}."
                )
        _across(results_dir, place, names, protocol, rank_by, data_dir, as_json)
        return
    found = build_boards(
        results_dir,
        dataset=dataset,
        protocol=protocol,
        data_dir=data_dir,
        rank_by=rank_by,
        contrasts=contrasts,
        progress=default_progress(),
        processes=available_threads(),
    )
    stem = stem_of(dataset and dataset_name(dataset), protocol, rank_by)
    paths = write_boards(found.boards, place, names, stem)
    if as_json:
        from erc_bench.board.by_phenomenon import phenomena_values
        from erc_bench.board.formats.csv_file import all_rows, contrast_values, every_value

        content = {
            "datasets": {board.dataset: {"fingerprint": board.fingerprint} for board in found.boards},
            "rows": [every_value(row) for row in all_rows(found.boards)],
            "by_phenomenon": phenomena_values(found.boards),
            "contrasts": contrast_values(found.boards),
            "incomplete_runs": [str(run.folder) for run in found.incomplete],
            "problems": [str(problem) for problem in found.problems],
            "files": [str(path) for path in paths],
        }
        say(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        from erc_bench.board.formats.terminal import print_boards

        print_boards(found.boards, sys.stdout)
    _conclude(found.incomplete, found.problems, paths)


def _across(
    results_dir: Path,
    output: Path,
    names: tuple[str, ...],
    protocol: str | None,
    rank_by: str | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    from erc_bench.board.across_build import STEM, build_across, check_formats, write_across
    from erc_bench.board.build import stem_of
    from erc_bench.progress import default_progress
    from erc_bench.toolkit.threads import available_threads

    check_formats(names)
    found = build_across(
        results_dir,
        protocol=protocol,
        data_dir=data_dir,
        rank_by=rank_by,
        progress=default_progress(),
        processes=available_threads(),
    )
    paths = write_across(found.board, output, names, stem_of(protocol=protocol, rank_by=rank_by, stem=STEM))
    if as_json:
        from erc_bench.board.formats.across_files import pair_records

        content = {
            "protocol": found.board.protocol,
            "datasets": {
                corpus.name: {"fingerprint": corpus.fingerprint, "metric": corpus.metric.name}
                for corpus in found.board.corpora
            },
            "systems": found.board.records(),
            "pairs": list(pair_records(found.board)),
            "incomplete_runs": [str(run.folder) for run in found.incomplete],
            "problems": [str(problem) for problem in found.problems],
            "files": [str(path) for path in paths],
        }
        say(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        from erc_bench.board.formats.terminal import print_across

        print_across(found.board, sys.stdout)
    _conclude(found.incomplete, found.problems, paths)


def _conclude(incomplete: Sequence[Run], problems: Sequence[DataError], paths: Sequence[Path]) -> None:
    """Say what was left out and written; what could not be read is an error, after all the rest is there."""
    if incomplete:
        say(f"not complete, left out: {len(incomplete)}, for example {incomplete[0].folder}", err=True)
    for path in paths:
        say(f"wrote {path}", err=True)
    if problems:
        raise SomeRunsFailedError(
            "\n".join(
                [
                    "every run in the results folder must be readable, but these are left out of what was written:",
                    *(f"- {problem}" for problem in problems),
                ]
            )
        )
