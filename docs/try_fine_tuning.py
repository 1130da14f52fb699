"""Try epochs, learning rates and class weights of `dialogue-encoder` on the validation split, and keep a table of the trials.

    python docs/try_fine_tuning.py --dataset meld --epochs 2,3,4 --rate 1e-4,2e-4 --seeds 0-1

All combinations are tried, those that stand in the file already are not tried again. Each trains on the training split and
is scored on validation as the system scores itself there: micro F1 with the decision offset that is best there. The test
split is not even read. `train_seconds` are those of the clock, the choice of the offset included; on the CPU a trial
computes with as many threads as a run does. The file names no encoder: trials of another one belong in another file.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import TypeVar, get_args

from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dialogue
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Context, Runtime
from erc_bench.data.load import split_problems
from erc_bench.data.locate import place_of, require_present
from erc_bench.data.registry import dataset_spec
from erc_bench.data.spec import DatasetSpec, measure_split
from erc_bench.errors import ErcBenchError
from erc_bench.progress import SilentProgress
from erc_bench.toolkit.threads import fixed_threads

SYSTEM = "dialogue-encoder"
OUTPUT = Path(__file__).with_name("fine-tuning-trials.csv")
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Trial:
    """What is tried."""

    dataset: str
    context: str
    epochs: int
    batch_tokens: int
    learning_rate: float
    weight_power: float
    seed: int


@dataclass(frozen=True)
class Outcome(Trial):
    """A trial and what came of it: micro F1 in percent, the offset in logits, seconds of the clock."""

    validation_micro_f1: float
    neutral_offset: float
    train_seconds: float


def read(spec: DatasetSpec) -> tuple[tuple[Dialogue, ...], tuple[Dialogue, ...]]:
    """The training and the validation split, their content checked; the test split stays closed."""
    place = place_of(spec)
    require_present(spec, place)
    parts = []
    for split in ("train", "validation"):
        reading = spec.read(place.folder, split)
        problems = reading.problems or split_problems(spec, split, measure_split(spec.labels, split, reading.dialogues))
        if problems:
            raise SystemExit("\n".join(problems))
        parts.append(reading.dialogues)
    return parts[0], parts[1]


def attempt(trial: Trial, encoder: str, device: str) -> Outcome | str:
    """What came of a trial, or why it failed."""
    try:
        return scored(trial, encoder, device)
    except Exception as error:  # not every error can travel from one process to another
        return f"{trial} failed: {type(error).__name__}: {error}"


def scored(trial: Trial, encoder: str, device: str) -> Outcome:
    """Train once, and score on validation."""
    spec = dataset_spec(trial.dataset)
    train, validation = read(spec)
    settings = {key: value for key, value in asdict(trial).items() if key not in ("dataset", "seed")}
    cls = system_class(SYSTEM)
    config = build_config(cls.Config, {**settings, "encoder": encoder}, owner=SYSTEM)
    system = cls(config, labels=spec.labels, runtime=Runtime(trial.seed, device))
    with fixed_threads(system.resources.cpus):
        start = time.perf_counter()
        system.fit(train, validation, seed=trial.seed, progress=SilentProgress())
        seconds = time.perf_counter() - start
    found = system.report().measurements
    return Outcome(
        **asdict(trial),
        validation_micro_f1=found["validation_micro_f1"],
        neutral_offset=found["neutral_offset"],
        train_seconds=round(seconds, 1),
    )


def tried(path: Path) -> set[Trial]:
    """The trials that stand in a file."""
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {
            Trial(
                row["dataset"],
                row["context"],
                int(row["epochs"]),
                int(row["batch_tokens"]),
                float(row["learning_rate"]),
                float(row["weight_power"]),
                int(row["seed"]),
            )
            for row in csv.DictReader(file)
        }


def keep(outcome: Outcome, path: Path) -> None:
    """Append a row, under a heading if it is the first."""
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(field.name for field in fields(Outcome))
        writer.writerow(astuple(outcome))


def numbers(kind: Callable[[str], Number]) -> Callable[[str], list[Number]]:
    """Reads numbers with commas between them."""
    return lambda text: [kind(part) for part in text.split(",")]


def whole_numbers(text: str) -> list[int]:
    """Reads `0,2` and `0-2`."""
    bounds = [[int(end) for end in part.split("-")] for part in text.split(",")]
    return [number for first, *last in bounds for number in range(first, (last or [first])[0] + 1)]


def outcomes(trials: list[Trial], encoder: str, device: str, jobs: int) -> Iterator[Outcome | str]:
    """What came of each trial as it ends, `jobs` at once."""
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(attempt, trial, encoder, device) for trial in trials]):
            yield done.result()


def main(arguments: list[str] | None = None) -> int:
    """Try what is asked for; 0 if nothing failed."""
    defaults = system_class(SYSTEM).Config()
    parser = argparse.ArgumentParser(description="Trials of dialogue-encoder on the validation split.")
    parser.add_argument("--dataset", default="dailydialog")
    parser.add_argument("--context", default=defaults.context, choices=get_args(Context))
    parser.add_argument("--epochs", type=whole_numbers, default=[defaults.epochs], metavar="2,3,4")
    parser.add_argument("--batch-tokens", type=numbers(int), default=[defaults.batch_tokens], metavar="2048,4096")
    parser.add_argument("--rate", type=numbers(float), default=[defaults.learning_rate], metavar="1e-4,2e-4")
    parser.add_argument("--weight-power", type=numbers(float), default=[defaults.weight_power], metavar="0,0.25")
    parser.add_argument("--seeds", type=whole_numbers, default=[0], metavar="0-1")
    parser.add_argument("--encoder", default=defaults.encoder)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FILE")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once, each a process of its own")
    options = parser.parse_args(arguments)
    read(dataset_spec(options.dataset))  # so that a wrong name or missing data is said at once
    known = tried(options.output)
    values = itertools.product(options.epochs, options.batch_tokens, options.rate, options.weight_power, options.seeds)
    every = dict.fromkeys(Trial(options.dataset, options.context, *each) for each in values)
    trials = [trial for trial in every if trial not in known]
    failed = 0
    sys.stdout.write(f"{len(trials)} trials\n{','.join(field.name for field in fields(Outcome))}\n")
    for found in outcomes(trials, options.encoder, options.device, options.jobs):
        if isinstance(found, Outcome):
            keep(found, options.output)
            sys.stdout.write(",".join(map(str, astuple(found))) + "\n")
        else:
            failed += 1
            sys.stderr.write(f"{found}\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except ErcBenchError as error:
        raise SystemExit(str(error)) from None
