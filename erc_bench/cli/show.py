"""`erc-bench show`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from erc_bench.cli import options
from erc_bench.cli.output import say

EPILOG = """\b
Examples:
  erc-bench show sentemocontext --errors --label anger
  erc-bench show sentemocontext --compare minilm-classifier --limit 5
  erc-bench show results/sample/tfidf-logreg/b5d6ff3323ee/seed-0 --dialogue test-00003
\b
RUN is a run folder, or a row title, its beginning or a system name. Dialogues are shown
whole; `>` marks the utterances that the filters select. With --compare these are only utterances
where exactly one of the two systems is right: `helped` where it is RUN, `hurt` where it is the
other one; --label narrows them down, and --dialogue also selects where the two agree. Labels a
run did not give (--targets last) stand as a dash. --seed is that of RUN; a row to compare with
that has not got it gives its lowest seed, and a line says so."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("run")
@click.option("--compare", metavar="OTHER", help="Show where two systems differ: another run, named like RUN.")
@click.option("--errors", is_flag=True, help="Only dialogues with an utterance that was labelled wrong.")
@click.option("--label", metavar="NAME", help="Only this label, as gold label or as answer.")
@click.option("--dialogue", metavar="ID", help="Only this dialogue, for example test-00042.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Dialogues to show; 0 shows all."
)
@click.option("--seed", type=click.IntRange(min=0), help="Which seed of a row.  [default: its lowest]")
@options.dataset_of_rows
@options.results_dir
@options.data_dir
@options.as_json
def show(
    run: str,
    compare: str | None,
    errors: bool,
    label: str | None,
    dialogue: str | None,
    limit: int,
    seed: int | None,
    dataset_name: str | None,
    results_dir: Path,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show dialogues with gold and predicted labels side by side."""
    from erc_bench.api import results
    from erc_bench.inspection.show import as_json as showing_as_json
    from erc_bench.progress import default_progress

    showing = results.show(
        run,
        compare=compare,
        errors=errors,
        label=label,
        dialogue=dialogue,
        seed=seed,
        dataset=dataset_name,
        results_dir=results_dir,
        data_dir=data_dir,
        progress=default_progress(),
    )
    shown = showing.dialogues[:limit] if limit else showing.dialogues
    if as_json:
        say(json.dumps(showing_as_json(showing, shown), indent=2, ensure_ascii=False))
        return
    from erc_bench.inspection.show_terminal import print_showing

    print_showing(showing, shown)
