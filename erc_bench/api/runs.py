"""Runs: making them with a system, or of predictions made elsewhere, and publishing them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from erc_bench.api.data import Folder, loaded, results_path
from erc_bench.contract.domain import Dataset, Targets
from erc_bench.contract.system import Context, System, SystemInfo
from erc_bench.errors import DataMissingError, ErcBenchError, UsageError
from erc_bench.progress import Progress, SilentProgress

if TYPE_CHECKING:
    from erc_bench.data.spec import DatasetSpec
    from erc_bench.records.record import Run
    from erc_bench.running.conformance import CheckResult
    from erc_bench.running.executors import Executor
    from erc_bench.running.plan import PlannedRun
    from erc_bench.running.request import RunRequest

RESULTS = "results"


def systems() -> dict[str, SystemInfo]:
    """The registered systems, built-in and installed by others, by name: what each says of itself."""
    from erc_bench.contract.registry import system_class, system_names

    return {name: system_class(name).info for name in system_names()}


def check(
    system: str | type[System[Any]], *, settings: Mapping[str, Any] | None = None, device: str = "auto"
) -> list[CheckResult]:
    """Run the conformance suite on a system: every statement of the contract, and whether the system keeps it."""
    from erc_bench.running.conformance import check_system

    found, config = _configured(system, settings)
    return check_system(found, config, device=device)


def run(
    system: str | type[System[Any]],
    *,
    dataset: Folder | DatasetSpec | Dataset = "dailydialog",
    seeds: int | Iterable[int] = 0,
    settings: Mapping[str, Any] | None = None,
    targets: Targets = "all",
    withhold: str | None = None,
    train_on: Folder | DatasetSpec | Dataset | None = None,
    train_subset: str = "all",
    device: str = "auto",
    jobs: int | Literal["auto"] | None = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
    results_dir: Folder = RESULTS,
    data_dir: Folder | None = None,
    overwrite: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
) -> list[Run]:
    """Run a system and keep its predictions: one run record a seed, in their order.

    A complete run is read and not made again; an interrupted one resumes.

    Parameters
    ----------
    system
        A name of `systems()`, or a class.
    settings, targets
        By field of the config, the rest is default. Label every test utterance ("all"), or the last of each dialogue ("last").
    withhold
        Train without this label, which is then scored from few examples (protocol few-shot).
    train_on, train_subset
        Train and calibrate on this corpus instead of the dataset's own (protocol transfer), or on a part of its own: "novel"
        leaves out dialogues with a near twin in the test split, "not-verbatim" equal ones.
    device, jobs
        A torch device, or "auto". Cores of this machine (default 1) for runs side by side, or "auto": all, if memory suffices.
    executor, address
        "ray": runs are tasks of the Ray cluster at an address, or of one of this machine with `jobs` cores (default all).
    overwrite, offline
        Make complete runs again; never reach for a model hub.

    Raises
    ------
    UnknownNameError, ConfigError
        No such system or dataset, or a setting that cannot be; nothing has run.
    ErcBenchError
        The first failure, of whatever kind, after all other runs were made.
    """
    from erc_bench.running.executors import executor_named
    from erc_bench.running.plan import PlannedRun

    found, config = _configured(system, settings)
    data, numbers = loaded(dataset, data_dir), [seeds] if isinstance(seeds, int) else seeds
    other = data if train_on is None else loaded(train_on, data_dir)
    seen = (targets, withhold, other.name, train_subset)
    planned = [PlannedRun(found, config, data.name, number, *seen) for number in numbers]
    known = {other.name: other, data.name: data}
    requests = requests_of(planned, known, results_dir=results_dir, device=device, overwrite=overwrite, offline=offline)
    return _made(requests, executor_named(executor, jobs=jobs, address=address), progress or SilentProgress())


def _made(requests: Sequence[RunRequest], executor: Executor, progress: Progress) -> list[Run]:
    """The runs in the order of the requests, or the first error once all have ended."""
    from erc_bench.running.parcels import Failure

    found: dict[int, Run] = {}
    failures: list[ErcBenchError] = []
    with closing(executor.make(requests, progress)) as results:
        for request, result in results:
            if isinstance(result, Failure):
                failures.append(result.error)
            else:
                found[id(request)] = result.run
    if failures:
        raise failures[0]
    for bucket in {request.bucket for request in requests if request.bucket is not None}:
        bucket.fetch(progress, only=[run.folder for run in found.values()])
    return [found[id(request)] for request in requests]


def requests_of(
    planned: Iterable[PlannedRun],
    datasets: Mapping[str, Dataset],
    *,
    results_dir: Folder = RESULTS,
    device: str = "auto",
    overwrite: bool = False,
    offline: bool = False,
) -> list[RunRequest]:
    """Planned runs as requests on datasets, by name; what cannot be run is refused before any work.

    Raises
    ------
    UnknownNameError
        A dataset is ranked by a metric that does not exist.
    UsageError
        A withheld label that the dataset lacks, another corpus that shares no labels, or a system that has no use for them.
    StorageError
        Nothing can be written to the bucket that the records belong in.
    """
    from erc_bench.contract.system import Runtime
    from erc_bench.paths import cache_dir
    from erc_bench.records.storage import Bucket, is_remote
    from erc_bench.running.request import RunRequest, check_train_subset, check_transfer, check_withheld
    from erc_bench.scoring.catalogue import ranking_metric

    for data in datasets.values():
        ranking_metric(data)
    bucket = Bucket(str(results_dir)) if is_remote(results_dir) else None
    runtime = Runtime(device=device, offline=offline, cache_dir=cache_dir())
    requests = [
        RunRequest(
            system=each.system,
            config=each.config,
            dataset=datasets[each.dataset],
            results=Path(results_dir) if bucket is None else bucket.folder,
            seed=each.seed,
            targets=each.targets,
            runtime=runtime,
            overwrite=overwrite,
            withheld=each.withheld,
            train_on=None if each.train_on is None else datasets[each.train_on],
            train_subset=each.train_subset,
            bucket=bucket,
        )
        for each in planned
    ]
    for request in requests:
        check_withheld(request)
        check_train_subset(request)
        check_transfer(request)
    if bucket is not None:
        bucket.check()
    return requests


def score(
    file: Folder,
    *,
    name: str,
    dataset: Folder | DatasetSpec | Dataset = "dailydialog",
    targets: Targets = "all",
    seed: int = 0,
    context: Context | None = None,
    source: str = "",
    results_dir: Folder = RESULTS,
    data_dir: Folder | None = None,
    overwrite: bool = False,
) -> Run:
    """Make a run record of predictions made elsewhere; its row has the evidence `predictions`.

    Parameters
    ----------
    file
        JSONL or CSV with `dialogue`, `turn` (from 0) and `label` (empty: no usable answer, which counts as wrong).
    name
        What the row is called.
    seed
        Files of several seeds share a row.
    context
        What the system read to label an utterance; shown as a claim that was not tested.
    source
        A citation or an address.
    overwrite
        Replace other predictions of the same name and seed.

    Raises
    ------
    UsageError
        The name cannot be used, or stands for other predictions already.
    DataError
        The file is missing or has problems: the first twenty, with their lines. Nothing is written.
    """
    from erc_bench.records.storage import is_remote
    from erc_bench.running.import_predictions import Scoring, check_name, import_predictions

    check_name(name)
    if is_remote(results_dir):
        raise UsageError(f"results_dir must be a folder for predictions made elsewhere, got {results_dir!r}.")
    scoring = Scoring(name, targets, seed, context, source)
    return import_predictions(Path(file), scoring, loaded(dataset, data_dir), Path(results_dir), overwrite=overwrite)


def export(
    to: Folder,
    runs: Iterable[Folder] = (),
    *,
    scores: bool = True,
    results_dir: Folder = RESULTS,
    progress: Progress | None = None,
) -> list[Run]:
    """Copy run records in a form that can be published: no utterance, no text of a model, no absolute path.

    Parameters
    ----------
    to
        Folder to copy to; runs of the same place are replaced.
    runs
        Folders of runs, or names of rows; none: every complete run in `results_dir`.
    scores
        Whether to copy the scores that a system gave to labels.

    Raises
    ------
    UsageError
        A run of `runs` is not complete.
    DataMissingError
        There is no complete run.
    """
    from erc_bench.running.export import export_run

    folders = list(runs)
    complete, incomplete = complete_runs(folders, results_path(results_dir), "exported")
    if folders and incomplete:
        raise UsageError(not_complete(incomplete[0], "exported"))
    if incomplete:
        (progress or SilentProgress()).note(f"not complete, left out: {len(incomplete)}")
    return [export_run(each, Path(to), scores=scores) for each in complete]


def complete_runs(folders: Sequence[Folder], results: Path, purpose: str) -> tuple[list[Run], list[Run]]:
    """The runs of these names (see `erc_bench.records.select`), or else of the results folder: complete ones and others."""
    from erc_bench.records.record import find_runs
    from erc_bench.records.select import runs_named

    found = [run for name in folders for run in runs_named(results, str(name))] or list(find_runs(results))
    complete = [each for each in found if each.record.status == "complete"]
    if not complete and not folders:
        raise DataMissingError(f"{results} must hold a complete run to be {purpose}, got none.")
    return complete, [each for each in found if each.record.status != "complete"]


def not_complete(run: Run, purpose: str) -> str:
    """What is wrong with a run that has not ended."""
    return f"a run must be complete to be {purpose}, got status {run.record.status!r} in {run.folder}. Finish it first."


def _configured(system: str | type[System[Any]], settings: Mapping[str, Any] | None) -> tuple[type[System[Any]], Any]:
    from erc_bench.contract.config import build_config
    from erc_bench.contract.registry import system_class

    found = system_class(system) if isinstance(system, str) else system
    return found, build_config(found.Config, settings or {}, owner=found.info.name)
