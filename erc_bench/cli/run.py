"""`erc-bench run`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from erc_bench.cli import options
from erc_bench.cli.output import say
from erc_bench.errors import SomeRunsFailedError, SystemFailedError, UsageError

if TYPE_CHECKING:
    from erc_bench.contract.domain import Targets
    from erc_bench.running.parcels import Failure
    from erc_bench.running.plan import PlannedRun
    from erc_bench.running.preview import Preview
    from erc_bench.running.request import RunOutcome, RunRequest


class SeedRange(click.ParamType[list[int]]):
    """Seeds written as `A-B`, both included, or as a single number."""

    name = "A-B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Parse `0-4` to [0, 1, 2, 3, 4]."""
        from erc_bench.running.plan import parse_seeds

        try:
            return parse_seeds(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Jobs(click.ParamType[int | Literal["auto"]]):
    """A number of cores, or `auto`."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["auto"]:
        """Parse `4` or `auto`."""
        if value == "auto":
            return "auto"
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"jobs must be a number of cores from 1, or auto, got {value!r}", param, ctx)
        return int(value)


EPILOG = """\b
Examples:
  erc-bench run --system sentemocontext --dataset sample
  erc-bench run --system sentemocontext --system tfidf-logreg --seeds 0-9 --jobs auto
  erc-bench run --system minilm-classifier --set fine_tune=true --data-dir ~/dailydialog
  erc-bench run --system sentemocontext --withhold fear --withhold anger
  erc-bench run --system tfidf-logreg --train-on dailydialog --dataset meld
  erc-bench run --plan leaderboard/plan.toml --dry-run
  erc-bench run --plan sweep.toml --executor ray --address auto --results-dir /shared/results
\b
A run that was killed resumes with the same command; a complete one is not made again
without --overwrite. `erc-bench systems show NAME` lists what --set can change."""

IN_PLAN = ("names", "dataset_name", "seed", "seeds", "settings", "targets", "withhold", "train_on", "train_subset")


@click.command(cls=options.Command, epilog=EPILOG)
@click.option("--system", "names", multiple=True, metavar="NAME", help="System to run; repeat for several.")
@click.option("--dataset", "dataset_name", default="dailydialog", show_default=True, metavar="NAME")
@options.data_dir
@options.results_place
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
@click.option(
    "--train-on",
    multiple=True,
    metavar="NAME",
    help="Train and calibrate on this other dataset, in the labels that both share (protocol transfer); repeatable.",
)
@click.option(
    "--train-subset",
    type=click.Choice(["all", "not-verbatim", "novel"]),
    default="all",
    show_default=True,
    help="Train without the dialogues that stand in the test split, or (novel) have a near twin there.",
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file of runs instead of --system and what belongs to it. Records beside it tell --dry-run how long runs take.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would run, what is there and how long it may take; run nothing."
)
@click.option(
    "--jobs",
    type=Jobs(),
    help="Cores to use on this machine: runs go side by side.  [default: 1, with --executor ray all]",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where runs are made: on this machine, or as tasks of a Ray cluster (docs/scaling.md).",
)
@click.option(
    "--address",
    envvar="RAY_ADDRESS",
    show_envvar=True,
    metavar="HOST:PORT",
    help="The Ray cluster, `auto` on a machine that belongs to one.  [default: one of this machine]",
)
@options.device
@click.option("--overwrite", is_flag=True, help="Make the run again even if it is complete.")
@click.option("--offline", is_flag=True, help="Never reach for a model hub.")
@options.as_json
@click.pass_context
def run(
    ctx: click.Context,
    /,
    data_dir: Path | None,
    results_dir: Path | str,
    plan_file: Path | None,
    dry_run: bool,
    jobs: int | Literal["auto"] | None,
    executor: str,
    address: str | None,
    device: str,
    overwrite: bool,
    offline: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Run systems on a dataset and keep their predictions as run records."""
    from erc_bench.running.executors import executor_named

    if executor == "local" and ctx.get_parameter_source("address") is ParameterSource.ENVIRONMENT:
        address = None  # RAY_ADDRESS is there for all programs that use Ray, and this one does not
    where = executor_named(executor, jobs=jobs, address=address)
    planned = _read_plan(ctx, plan_file) if plan_file else _plan(**asked)
    if dry_run:
        from erc_bench.data.registry import dataset_spec
        from erc_bench.records.storage import local_copy
        from erc_bench.running.preview import preview
        from erc_bench.running.withholding import check_label

        for name, withheld in dict.fromkeys((run.dataset, run.withheld) for run in planned):
            labels = dataset_spec(name, data_dir).labels
            if withheld is not None:
                check_label(withheld, labels)
        for name in dict.fromkeys(run.train_on for run in planned if run.train_on is not None):
            dataset_spec(name, data_dir)
        found = preview(planned, local_copy(results_dir), data_dir, earlier=plan_file and plan_file.parent)
        _print_preview(found, 1 if jobs == "auto" and device.startswith("cuda") else jobs, as_json=as_json)
        return

    from erc_bench.api.data import load_dataset
    from erc_bench.api.runs import requests_of
    from erc_bench.progress import default_progress

    names = dict.fromkeys(name for run in planned for name in (run.dataset, run.train_on) if name is not None)
    datasets = {name: load_dataset(name, data_dir=data_dir) for name in names}
    requests = requests_of(
        planned, datasets, results_dir=results_dir, device=device, overwrite=overwrite, offline=offline
    )
    report = _Report(requests, as_json=as_json)
    with closing(where.make(requests, default_progress())) as results:
        for request, result in results:
            report.add(request, result)
    report.end()


def _read_plan(ctx: click.Context, path: Path) -> list[PlannedRun]:
    for parameter in ctx.command.params:
        given = parameter.name and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and parameter.name in IN_PLAN:
            raise click.UsageError(f"{parameter.opts[-1]} and --plan exclude each other: the plan says what runs.")
    from erc_bench.running.plan import read_plan

    return read_plan(path)


def _plan(
    names: tuple[str, ...],
    dataset_name: str,
    seed: int | None,
    seeds: list[int] | None,
    settings: tuple[str, ...],
    targets: str,
    withhold: tuple[str, ...],
    train_on: tuple[str, ...],
    train_subset: str,
) -> list[PlannedRun]:
    if not names:
        raise click.UsageError("--system must name a system to run, or --plan a file that does.")
    if seed is not None and seeds is not None:
        raise click.UsageError("--seed and --seeds exclude each other: give one of them.")

    from erc_bench.contract.config import parse_settings
    from erc_bench.contract.registry import system_class
    from erc_bench.running.plan import PlannedRun

    # Names and settings are checked for all systems before the first of them starts to work.
    systems = [system_class(name) for name in dict.fromkeys(names)]
    configs = [parse_settings(system.Config, settings, owner=system.info.name) for system in systems]
    which: Targets = "last" if targets == "last" else "all"
    return [
        PlannedRun(system, config, dataset_name, number, which, withheld, other, train_subset)
        for system, config in zip(systems, configs, strict=True)
        for number in seeds or [seed or 0]
        for withheld in dict.fromkeys(withhold or (None,))
        for other in dict.fromkeys(train_on or (None,))
    ]


def _print_preview(found: Sequence[Preview], jobs: int | Literal["auto"] | None, *, as_json: bool) -> None:
    from erc_bench.running.preview import in_words
    from erc_bench.toolkit.threads import available_threads

    if as_json:
        rows = [
            {
                "system": each.run.system.info.name,
                "title": each.run.title,
                "dataset": each.run.dataset,
                "seed": each.run.seed,
                "targets": each.run.targets,
                "withheld": each.run.withheld,
                "trained_on": each.run.train_on,
                "train_subset": each.run.train_subset,
                "state": each.state,
                "expected_seconds": each.seconds,
            }
            for each in found
        ]
        say(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for each in found:
        time = "" if each.state == "complete" else "?" if each.seconds is None else in_words(each.seconds)
        say(f"{each.state:8}  {time:>12}  {each.run.title} on {each.run.dataset}, seed {each.run.seed}")
    open_runs = [each for each in found if each.state != "complete"]
    cores = available_threads() if jobs == "auto" else jobs or 1
    known = sum(each.seconds or 0.0 for each in open_runs)
    unknown = sum(each.seconds is None for each in open_runs)
    words = f"{len(found)} runs: {len(found) - len(open_runs)} complete, {len(open_runs)} to make"
    if known:
        words += f", expected to take {in_words(known)}" + (
            f", with {cores} jobs {in_words(known / cores)}" if cores > 1 else ""
        )
    if unknown:
        words += f" (of {unknown} no earlier run of the system on the dataset tells how long)"
    say(f"{words}.")


class _Report:
    """Prints what became of each run, and ends with the exit code that sums it up."""

    def __init__(self, requests: Sequence[RunRequest], *, as_json: bool) -> None:
        self._order = {id(request): index for index, request in enumerate(requests)}
        self._as_json = as_json
        self._outcomes: dict[int, tuple[RunRequest, RunOutcome]] = {}
        self._failures: list[Failure] = []
        self._closed: OSError | None = None

    def add(self, request: RunRequest, result: RunOutcome | Failure) -> None:
        """Report one run; where nobody reads any more, the other runs are made all the same."""
        from erc_bench.running.parcels import Failure

        if isinstance(result, Failure):
            if len(self._order) == 1:
                raise result.error
            self._failures.append(result)
            self._say(f"failed: {request.title}: {result.error}", to_stderr=True)
            return
        self._outcomes[self._order[id(request)]] = request, result
        if not self._as_json:
            self._say(_sentence(request, result))

    def end(self) -> None:
        """Print what was promised as JSON, and raise what went wrong."""
        if self._as_json:
            self._say(json.dumps([_summary(*self._outcomes[i]) for i in sorted(self._outcomes)], indent=2))
        failures, total = self._failures, len(self._order)
        if len(failures) == total:
            raise SystemFailedError(f"all {total} runs failed, see above; the first: {failures[0].error}")
        if failures:
            raise SomeRunsFailedError(f"{len(failures)} of {total} runs failed, see above; the others are complete.")
        if self._closed is not None:
            raise self._closed

    def _say(self, text: str, *, to_stderr: bool = False) -> None:
        try:
            say(text, err=to_stderr)
        except OSError as error:
            self._closed = error


def _sentence(request: RunRequest, outcome: RunOutcome) -> str:
    from erc_bench.scoring.catalogue import in_words

    record = outcome.run.record
    state = "already complete" if outcome.already_complete else "complete"
    return (
        f"{record.title} on {record.dataset}, seed {record.seed}: {in_words(record.dataset, record.scores)} "
        f"({state}, {_place(request, outcome)})"
    )


def _place(request: RunRequest, outcome: RunOutcome) -> str:
    folder = outcome.run.folder
    return str(folder) if request.bucket is None else request.bucket.url_of(folder)


def _summary(request: RunRequest, outcome: RunOutcome) -> dict[str, Any]:
    record = outcome.run.record
    return {
        "system": record.system,
        "settings": record.settings,
        "dataset": record.dataset,
        "seed": record.seed,
        "targets": record.targets,
        "withheld": record.withheld,
        "trained_on": record.trained_on_name,
        "train_subset": record.train_subset,
        "folder": _place(request, outcome),
        "already_complete": outcome.already_complete,
        "scores": record.scores,
        "timings": record.timings,
    }
