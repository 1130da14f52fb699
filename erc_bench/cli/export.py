"""`erc-bench export`."""

from __future__ import annotations

from pathlib import Path

import click

from erc_bench.cli import options
from erc_bench.cli.output import say

EPILOG = """\b
Examples:
  erc-bench export --to leaderboard/runs
  erc-bench export results/dailydialog/lookup/3067b7fa444d/seed-0 --to leaderboard/runs
\b
The copies hold labels, and scores of three significant digits: no utterance, no text that a
model wrote, no weights or embeddings, no absolute paths. Boards made from them are the same."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--to", required=True, type=options.FOLDER, help="Folder to copy to; runs of the same place are replaced."
)
@click.option("--scores/--no-scores", default=True, show_default=True, help="Whether to copy scores beside labels.")
@options.results_dir
def export(runs: tuple[str, ...], to: Path, scores: bool, results_dir: Path) -> None:
    """Copy run records (RUN: folders or names of rows; all complete ones without) in a form that can be published."""
    from erc_bench.api import runs as api
    from erc_bench.progress import default_progress

    copies = api.export(to, runs, scores=scores, results_dir=results_dir, progress=default_progress())
    for run in copies:
        say(run.folder)
    say(f"runs copied to {to}: {len(copies)}", err=True)
