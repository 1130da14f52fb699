"""`erc-bench verify`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from erc_bench.cli import options
from erc_bench.cli.output import say
from erc_bench.errors import VerificationError

EPILOG = """\b
Examples:
  erc-bench verify
  erc-bench verify --results-dir leaderboard/runs --output-dir leaderboard
  erc-bench verify results/dailydialog/lookup/3067b7fa444d/seed-0
  erc-bench verify "sentemocontext (context=past)"
\b
Without RUN: every complete run in the results folder, and the boards that lie in the results
folder and the output folder. Exit code 6 if anything differs."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@options.results_dir
@click.option("--output-dir", type=options.FOLDER, help="Where the boards lie, if not in the results folder.")
@click.option(
    "--contrasts", type=click.Path(dir_okay=False, path_type=Path), help="The file of contrasts that the boards show."
)
@options.data_dir
@options.as_json
def verify(
    runs: tuple[str, ...],
    results_dir: Path,
    output_dir: Path | None,
    contrasts: Path | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Recompute run records (RUN: folders, or names of rows) and boards, and compare with what they say."""
    from erc_bench.api import results
    from erc_bench.progress import default_progress

    found = results.verify(
        runs,
        results_dir=results_dir,
        output_dir=output_dir,
        contrasts=contrasts,
        data_dir=data_dir,
        progress=default_progress(),
    )
    differences = found.differences
    if as_json:
        content = {
            "runs": found.runs,
            "incomplete_runs": found.incomplete_runs,
            "boards": found.boards,
            "differences": [{"where": str(each.where), "what": each.what} for each in differences],
        }
        say(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        for difference in differences:
            say(str(difference))
    if differences:
        unread = "" if runs or found.boards else " Boards were not recomputed, since runs differ."
        raise VerificationError(
            f"what is recorded must follow from the predictions, got differences: {len(differences)}.{unread}"
        )
    if not as_json:
        left_out = f" Not complete, left out: {found.incomplete_runs}." if found.incomplete_runs else ""
        say(f"No difference. Recomputed runs: {found.runs}, board files: {found.boards}.{left_out}")
