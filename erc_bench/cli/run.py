"""`erc-bench run`."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erc_bench.cli import options
from erc_bench.errors import ErcBenchError, SomeRunsFailedError, SystemFailedError

if TYPE_CHECKING:
    from erc_bench.running.runner import RunOutcome

MAX_SEEDS = 1000


class SeedRange(click.ParamType[list[int]]):
    """Seeds written as `A-B`, both included, or as a single number."""

    name = "A-B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Parse `0-4` to [0, 1, 2, 3, 4]."""
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", str(value))
        if not match:
            self.fail(f"seeds must be A-B, for example 0-4, got {value!r}", param, ctx)
        low, high = int(match[1]), int(match[2] or match[1])
        if high < low or high - low >= MAX_SEEDS:
            self.fail(f"seeds must be A-B with A <= B and at most {MAX_SEEDS} seeds, got {value!r}", param, ctx)
        return list(range(low, high + 1))


EPILOG = """\b
Examples:
  erc-bench run --system sentemocontext --dataset sample
  erc-bench run --system sentemocontext --system tfidf-logreg --seeds 0-2
  erc-bench run --system minilm-classifier --set fine_tune=true --data-dir ~/dailydialog
  erc-bench run --system sentemocontext --withhold fear --withhold anger
\b
A run that was killed resumes with the same command; a complete one is not made again
without --overwrite. `erc-bench systems show NAME` lists what --set can change."""


@click.command(epilog=EPILOG)
@click.option(
    "--system", "names", multiple=True, required=True, metavar="NAME", help="System to run; repeat for several."
)
@click.option("--dataset", "dataset_name", default="dailydialog", show_default=True, metavar="NAME")
@options.data_dir
@options.results_dir
@click.option("--seed", type=click.IntRange(min=0), help="One seed.  [default: 0]")
@click.option("--seeds", type=SeedRange(), help="Several seeds, for example 0-4.")
@click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Change a setting of the system; repeatable."
)
@click.option(
    "--targets",
    type=click.Choice(["all", "last"]),
    default="all",
    show_default=True,
    help="Label every test utterance, or only the last of each dialogue.",
)
@click.option(
    "--withhold",
    multiple=True,
    metavar="LABEL",
    help="Train without this emotion and score it from few examples (protocol few-shot); repeatable.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps or auto.")
@click.option("--overwrite", is_flag=True, help="Make the run again even if it is complete.")
@click.option("--offline", is_flag=True, help="Never reach for a model hub.")
@options.as_json
def run(
    names: tuple[str, ...],
    dataset_name: str,
    data_dir: Path | None,
    results_dir: Path,
    seed: int | None,
    seeds: list[int] | None,
    settings: tuple[str, ...],
    targets: str,
    withhold: tuple[str, ...],
    device: str,
    overwrite: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Run systems on a dataset and keep their predictions as run records."""
    if seed is not None and seeds is not None:
        raise click.UsageError("--seed and --seeds exclude each other: give one of them.")
    seeds = seeds or [seed or 0]

    from erc_bench.contract.config import parse_settings
    from erc_bench.contract.registry import system_class

    # Names and settings are checked for all systems before the first of them starts to work.
    systems = [system_class(name) for name in dict.fromkeys(names)]
    configs = [parse_settings(system.Config, settings, owner=system.info.name) for system in systems]

    from erc_bench.contract.system import Runtime
    from erc_bench.data import load_dataset
    from erc_bench.paths import cache_dir
    from erc_bench.progress import default_progress
    from erc_bench.protocols.few_shot import check_withheld
    from erc_bench.running.runner import RunRequest, execute

    dataset = load_dataset(dataset_name, data_dir=data_dir)
    for label in withhold:
        check_withheld(label, dataset.labels)
    runtime = Runtime(device=device, offline=offline, cache_dir=cache_dir())
    progress = default_progress()
    requests = [
        RunRequest(
            system=system,
            config=config,
            dataset=dataset,
            results=results_dir,
            seed=number,
            targets="last" if targets == "last" else "all",
            runtime=runtime,
            overwrite=overwrite,
            withheld=withheld,
        )
        for system, config in zip(systems, configs, strict=True)
        for number, withheld in itertools.product(seeds, withhold or (None,))
    ]
    outcomes: list[RunOutcome] = []
    failures: list[ErcBenchError] = []
    for request in requests:
        try:
            outcome = execute(request, progress)
        except ErcBenchError as error:
            if len(requests) == 1:
                raise
            failures.append(error)
            click.echo(f"failed: {request.system.info.name} seed {request.seed}: {error}", err=True)
        else:
            outcomes.append(outcome)
            if not as_json:
                _print(outcome)
    if as_json:
        click.echo(json.dumps([_summary(outcome) for outcome in outcomes], indent=2))
    if failures and not outcomes:
        raise SystemFailedError(f"all {len(requests)} runs failed, see above; the first: {failures[0]}")
    if failures:
        raise SomeRunsFailedError(
            f"{len(failures)} of {len(requests)} runs failed, see above; the others are complete."
        )


def _print(outcome: RunOutcome) -> None:
    from erc_bench.scoring.catalogue import in_words

    record = outcome.run.record
    state = "already complete" if outcome.already_complete else "complete"
    click.echo(
        f"{record.title} on {record.dataset}, seed {record.seed}: {in_words(record.dataset, record.scores)} "
        f"({state}, {outcome.run.folder})"
    )


def _summary(outcome: RunOutcome) -> dict[str, Any]:
    record = outcome.run.record
    return {
        "system": record.system,
        "settings": record.settings,
        "dataset": record.dataset,
        "seed": record.seed,
        "targets": record.targets,
        "withheld": record.withheld,
        "folder": str(outcome.run.folder),
        "already_complete": outcome.already_complete,
        "scores": record.scores,
        "timings": record.timings,
    }
