"""`erc-bench score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from erc_bench.cli import options
from erc_bench.cli.output import say

if TYPE_CHECKING:
    from erc_bench.contract.domain import Targets
    from erc_bench.contract.system import Context

EPILOG = """\b
Examples:
  erc-bench score answers.jsonl --name my-model --source "Doe et al., ACL 2025"
  erc-bench score seed1.csv --name my-model --seed 1 --context past
  erc-bench score last.csv --name my-llm --targets last --dataset sample
\b
A line of JSONL:  {"dialogue": "test-00042", "turn": 3, "label": "happiness"}
A line of CSV:    test-00042,3,happiness   (under the header dialogue,turn,label)
An empty cell or null says that there was no usable answer, which counts as wrong. `raw` and
`scores` are optional. Turns count from 0. The row has the evidence `predictions`."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, metavar="NAME", help="What the row is called on the board.")
@click.option("--dataset", "dataset_name", default="dailydialog", show_default=True, metavar="NAME")
@click.option(
    "--targets",
    type=click.Choice(["all", "last"]),
    default="all",
    show_default=True,
    help="Whether the file labels every test utterance or only the last of each dialogue.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Files of several seeds share a row."
)
@click.option(
    "--context",
    type=click.Choice(["utterance", "past", "dialogue"]),
    help="What the system read to label an utterance; shown as a claim that was not tested.",
)
@click.option("--source", default="", metavar="TEXT", help="Citation or address that the row names.")
@click.option("--overwrite", is_flag=True, help="Replace other predictions of the same name and seed.")
@options.data_dir
@options.results_place
@options.as_json
def score(
    file: Path,
    name: str,
    dataset_name: str,
    targets: Targets,
    seed: int,
    context: Context | None,
    source: str,
    overwrite: bool,
    data_dir: Path | None,
    results_dir: Path | str,
    as_json: bool,
) -> None:
    """Turn predictions made elsewhere (FILE, JSONL or CSV) into a run record and print its scores."""
    from erc_bench.api import runs
    from erc_bench.scoring.catalogue import UNUSABLE_RATE, in_words

    run = runs.score(
        file,
        name=name,
        dataset=dataset_name,
        targets=targets,
        seed=seed,
        context=context,
        source=source,
        results_dir=results_dir,
        data_dir=data_dir,
        overwrite=overwrite,
    )
    record = run.record
    if as_json:
        say(json.dumps({"folder": str(run.folder), **record.model_dump(mode="json")}, indent=2, ensure_ascii=False))
        return
    share = record.scores.get(UNUSABLE_RATE.name)
    unusable = f", {UNUSABLE_RATE.text(share)} unusable" if share else ""
    say(
        f"{record.title} on {record.dataset}, seed {record.seed}: {in_words(record.dataset, record.scores)}{unusable} "
        f"({record.predictions:,} predictions)"
    )
    say(f"wrote {run.folder}", err=True)
