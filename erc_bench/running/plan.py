"""Sweeps as a file: which systems run with which settings and seeds on which corpora.

dataset = "dailydialog"          # what [[runs]] below do not say themselves
seeds = "0-9"

[[runs]]
system = ["lookup", "prior"]     # every key may hold one value or a list of them: all combinations are run

[[runs]]
system = "sentemocontext"
settings = { context = ["past", "dialogue"] }
seeds = 0
withhold = ["anger", "fear"]     # "" stands for none

[[runs]]
system = "tfidf-logreg"
dataset = ["meld", "emorynlp"]   # trained on one, tested on another; where both are one, it is the ordinary run
train_on = ["dailydialog", "meld", "emorynlp"]

[[runs]]
system = "tfidf-logreg"
train_subset = ["all", "novel"]  # novel: no training dialogue that has a near twin in the test split

[[runs]]
system = "smollm2-135m"
targets = ["all", "last"]
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erc_bench.contract.config import build_config, changed_settings, config_hash, transfer_identity
from erc_bench.contract.domain import Targets
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import System
from erc_bench.data.registry import dataset_name, dataset_spec
from erc_bench.data.transfer import label_map
from erc_bench.errors import PlanError, UnknownNameError, UsageError
from erc_bench.records.record import run_title
from erc_bench.running.train_subset import ALL, known_subset

MAX_SEEDS = 1000
DEFAULTS: Mapping[str, Any] = {
    "dataset": "dailydialog",
    "seeds": 0,
    "targets": "all",
    "withhold": "",
    "train_on": "",
    "train_subset": ALL,
}
KEYS = ("system", "settings", *DEFAULTS)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a plan; what it runs on is not read yet."""

    system: type[System[Any]]
    config: Any
    dataset: str
    seed: int
    targets: Targets
    withheld: str | None
    train_on: str | None = None
    train_subset: str = ALL

    def __post_init__(self) -> None:
        # What is trained on the corpus that it is tested on is an ordinary run.
        if self.train_on is not None and dataset_name(self.train_on) == dataset_name(self.dataset):
            object.__setattr__(self, "train_on", None)

    def config_hash(self, data_dir: Path | None = None) -> str:
        """The folder of the run is named by it.

        Raises
        ------
        ErcBenchError
            A dataset that it is trained on or tested on is not known, or they do not share two labels.
        """
        other = None
        if self.train_on is not None:
            train, test = (dataset_spec(name, data_dir) for name in (self.train_on, self.dataset))
            other = transfer_identity(train.name, label_map(train, test).sha256)
        return config_hash(
            self.config,
            targets=self.targets,
            withheld=self.withheld,
            trained_on=other,
            train_subset=self.train_subset,
        )

    @property
    def title(self) -> str:
        """System and settings, as boards show them."""
        return run_title(
            self.system.info.name,
            changed_settings(self.config),
            self.targets,
            self.withheld,
            self.train_on,
            self.train_subset,
        )


def parse_seeds(text: str) -> list[int]:
    """Seeds written as `A-B`, both included, or as a single number.

    Raises
    ------
    UsageError
        It is neither, or more than a thousand seeds.
    """
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    if not match:
        raise UsageError(f"seeds must be A-B, for example 0-4, got {text!r}")
    low, high = int(match[1]), int(match[2] or match[1])
    if high < low or high - low >= MAX_SEEDS:
        raise UsageError(f"seeds must be A-B with A <= B and at most {MAX_SEEDS} seeds, got {text!r}")
    return list(range(low, high + 1))


def read_plan(path: Path) -> list[PlannedRun]:
    """The runs of a plan in its order, each once.

    Raises
    ------
    PlanError
        The file is not there, not TOML, or a key makes no sense: the message names the file and the key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"a plan must be a file that can be read, got {path} ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:  # also for bytes that are no UTF-8 and numbers of thousands of digits
        raise PlanError(f"{path} must be TOML, got {error}.") from None
    tables = content.pop("runs", None)
    if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
        raise PlanError(f"{path}: runs must be a list of tables, each under its own [[runs]], got {tables!r}.")
    _check_keys(content, tuple(DEFAULTS), str(path))
    found: dict[tuple[str, ...], PlannedRun] = {}
    for number, table in enumerate(tables, start=1):
        where = f"{path}: [[runs]] number {number}"
        _check_keys(table, KEYS, where)
        if "system" not in table:
            raise PlanError(f'{where} must name a system, got none. Add: system = "NAME"')
        for run in _expand({**DEFAULTS, **content, **table}, where):
            same = config_hash(run.config, targets=run.targets, withheld=run.withheld, train_subset=run.train_subset)
            found.setdefault((run.dataset, run.system.info.name, same, run.train_on or "", str(run.seed)), run)
    return list(found.values())


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise PlanError(f"{where}: a key must be one of {', '.join(known)}; got {key!r}.")


def _expand(table: Mapping[str, Any], where: str) -> Iterator[PlannedRun]:
    datasets = _texts(table["dataset"], f"{where}, dataset")
    seeds = _seeds(table["seeds"], f"{where}, seeds")
    targets = _targets(table["targets"], f"{where}, targets")
    withheld = _texts(table["withhold"], f"{where}, withhold")
    others = _texts(table["train_on"], f"{where}, train_on")
    parts = _train_subsets(table["train_subset"], f"{where}, train_subset")
    seen = (datasets, targets, withheld, others, parts)
    for name in _texts(table["system"], f"{where}, system"):
        for system, config in _configs(name, table.get("settings", {}), where):
            for dataset, which, label, other, part, seed in itertools.product(*seen, seeds):
                yield PlannedRun(system, config, dataset, seed, which, label or None, other or None, part)


def _configs(name: str, settings: Any, where: str) -> Iterator[tuple[type[System[Any]], Any]]:
    """A system with every combination of the listed settings."""
    if not isinstance(settings, dict):
        raise PlanError(f"{where}, settings must be a table of settings, got {settings!r}.")
    try:
        system = system_class(name)
    except UsageError as error:
        raise PlanError(f"{where}, system: {error}") from None
    choices = [value if isinstance(value, list) else [value] for value in settings.values()]
    for values in itertools.product(*choices):
        try:
            yield system, build_config(system.Config, dict(zip(settings, values, strict=True)), owner=name)
        except UsageError as error:
            raise PlanError(f"{where}, settings: {error}") from None


def _texts(value: Any, where: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str) for item in values):
        raise PlanError(f"{where} must be a text or a list of texts, got {value!r}.")
    return list(dict.fromkeys(values))


def _train_subsets(value: Any, where: str) -> list[str]:
    try:
        return [known_subset(name) for name in _texts(value, where)]
    except UnknownNameError as error:
        raise PlanError(f"{where}: {error}") from None


def _targets(value: Any, where: str) -> list[Targets]:
    found: list[Targets] = []
    for text in _texts(value, where):
        if text not in ("all", "last"):
            raise PlanError(f"{where} must be all or last, got {text!r}.")
        found.append("all" if text == "all" else "last")
    return found


def _seeds(value: Any, where: str) -> list[int]:
    found: list[int] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, bool) or not isinstance(item, int | str):
            raise PlanError(f"{where} must be a number, A-B, or a list of these, got {value!r}.")
        try:
            found += parse_seeds(str(item))
        except UsageError as error:
            raise PlanError(f"{where}: {error}.") from None
    if not found:
        raise PlanError(f"{where} must name at least one seed, got {value!r}.")
    return list(dict.fromkeys(found))
