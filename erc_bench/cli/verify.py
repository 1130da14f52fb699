"""`erc-bench verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from erc_bench.cli import options
from erc_bench.errors import DataMissingError, UsageError, VerificationError

if TYPE_CHECKING:
    from erc_bench.records.record import Run

EPILOG = """\b
Examples:
  erc-bench verify
  erc-bench verify --results-dir leaderboard/runs --output-dir leaderboard
  erc-bench verify results/dailydialog/lookup/3067b7fa444d/seed-0
\b
Without RUN: every complete run in the results folder, and the boards that lie in the results
folder and the output folder. Exit code 6 if anything differs."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=options.FOLDER)
@options.results_dir
@click.option("--output-dir", type=options.FOLDER, help="Where the boards lie, if not in the results folder.")
@options.data_dir
@options.as_json
def verify(
    runs: tuple[Path, ...], results_dir: Path, output_dir: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Recompute run records (folders RUN) and boards, and compare with what they say."""
    from erc_bench.data import load_dataset
    from erc_bench.inspection.verify import verify_boards, verify_run
    from erc_bench.progress import default_progress
    from erc_bench.records.record import Run, find_runs, read_record

    found = [Run(folder, read_record(folder)) for folder in runs] if runs else list(find_runs(results_dir))
    complete = [run for run in found if run.record.status == "complete"]
    if runs and len(complete) < len(found):
        raise UsageError(f"a run must be complete to be verified, got {_first_incomplete(found)}. Finish it first.")
    if not complete:
        raise DataMissingError(f"{results_dir} must hold a complete run to be verified, got none.")
    datasets = {
        name: load_dataset(name, data_dir=data_dir) for name in sorted({run.record.dataset for run in complete})
    }
    differences = []
    with default_progress().task("Recomputing runs", total=len(complete), unit="runs") as task:
        for run in complete:
            differences += verify_run(run, datasets[run.record.dataset])
            task.advance()
    boards = 0
    if not runs and not differences:
        boards, differences = verify_boards(results_dir, [results_dir, output_dir or results_dir], data_dir)
    if as_json:
        content = {
            "runs": len(complete),
            "incomplete_runs": len(found) - len(complete),
            "boards": boards,
            "differences": [{"where": str(found.where), "what": found.what} for found in differences],
        }
        click.echo(json.dumps(content, indent=2, ensure_ascii=False))
    else:
        for difference in differences:
            click.echo(str(difference))
    if differences:
        unread = "" if runs or boards else " Boards were not recomputed, since runs differ."
        raise VerificationError(
            f"what is recorded must follow from the predictions, got differences: {len(differences)}.{unread}"
        )
    if not as_json:
        left_out = f" Not complete, left out: {len(found) - len(complete)}." if len(complete) < len(found) else ""
        click.echo(f"No difference. Recomputed runs: {len(complete)}, board files: {boards}.{left_out}")


def _first_incomplete(runs: list[Run]) -> str:
    first = next(run for run in runs if run.record.status != "complete")
    return f"status {first.record.status!r} in {first.folder}"
