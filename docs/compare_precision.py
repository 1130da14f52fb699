"""What sentence embeddings in bfloat16 change in the scores of DailyDialog, against float32, as a table.

    erc-bench run --system sentemocontext --system minilm-classifier --seeds 0-9 --set precision=bf16
    erc-bench run --system raw-encoder --set precision=bf16
    python docs/compare_precision.py results leaderboard

The first folder has runs in bfloat16 with their models, the second those in float32: the committed board. `precision.csv`
beside this file has three rows a run: trained and answered in bfloat16; the same trained model, answered in float32; trained
and answered in float32. Between the first two only the vectors of the test split differ. Training is as sensitive to its
vectors as to its seed, so that the third differs as another seed would.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dataset, Target
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Runtime
from erc_bench.data import load_dataset
from erc_bench.paths import cache_dir
from erc_bench.progress import SilentProgress
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import MODEL_FOLDER, Run, RunRecord, find_runs
from erc_bench.scoring.metrics import confusion_counts, scores
from erc_bench.toolkit.threads import fixed_threads

OUTPUT = Path(__file__).with_name("precision.csv")
DATASET = "dailydialog"
SYSTEMS = ("sentemocontext", "minilm-classifier", "raw-encoder")
METRICS = ("micro_f1", "macro_f1", "mcc")


@dataclass(frozen=True)
class Scored:
    """Scores of one way of making a run: F1 in percent, MCC in -1 to 1; `changed` answers differ from bfloat16 alone."""

    system: str
    seed: int
    trained: str
    answered: str
    micro_f1: float
    macro_f1: float
    mcc: float
    changed: int | None


def main(bf16: str, float32: str) -> None:
    """Write the table and print the mean differences."""
    dataset = load_dataset(DATASET)
    exact = {(run.record.system, run.record.seed): run for run in plain_runs(Path(float32), "float32")}
    rows: list[Scored] = []
    for run in plain_runs(Path(bf16), "bf16"):
        record = run.record
        answers = {target: found.label for target, found in read_predictions(run.folder).items()}
        rows.append(scored(dataset, record, "bf16", "bf16", answers, answers))
        rows.append(scored(dataset, record, "bf16", "float32", answered_in_float32(run, dataset), answers))
        other = {target: p.label for target, p in read_predictions(exact[record.system, record.seed].folder).items()}
        rows.append(scored(dataset, record, "float32", "float32", other, None))
    rows.sort(key=lambda row: (SYSTEMS.index(row.system), row.seed))
    with OUTPUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(Scored))
        writer.writerows(astuple(row) for row in rows)
    for (system, trained), by_metric in differences(rows).items():
        told = ", ".join(f"{name} {value:+.4f}" for name, value in by_metric.items())
        sys.stdout.write(f"{system}, float32 vectors, trained in {trained}: bfloat16 is {told} from it\n")


def plain_runs(folder: Path, precision: str) -> Iterator[Run]:
    """The complete runs of the systems that differ from the defaults in nothing but `precision`."""
    for run in find_runs(folder):
        record = run.record
        calibrated = record.system != "raw-encoder" or record.config.get("decision") == "calibrated"
        alike = record.targets == "all" and record.ordinary and record.train_subset == "all" and calibrated
        here = record.config.get("precision", "float32") == precision and set(record.changed) <= {"precision"}
        if record.dataset == DATASET and record.system in SYSTEMS and record.status == "complete" and alike and here:
            yield run


def answered_in_float32(run: Run, dataset: Dataset) -> Mapping[Target, str | None]:
    """What the trained model of a run answers to float32 vectors of the test split."""
    record, cls = run.record, system_class(run.record.system)
    config = build_config(cls.Config, {**record.config, "precision": "float32"}, owner=record.system)
    system = cls(config, labels=dataset.labels, runtime=Runtime(record.seed, "cpu", cache_dir=cache_dir()))
    with fixed_threads(1):
        system.load(run.folder / MODEL_FOLDER)
        dialogues = [dialogue.without_labels() for dialogue in dataset.test]
        targets = [target for dialogue in dialogues for target in dialogue.targets()]
        return {found.target: found.label for found in system.predict(dialogues, targets, progress=SilentProgress())}


def scored(
    dataset: Dataset,
    record: RunRecord,
    trained: str,
    answered: str,
    answers: Mapping[Target, str | None],
    reference: Mapping[Target, str | None] | None,
) -> Scored:
    """A row of the table."""
    targets = [target for dialogue in dataset.test for target in dialogue.targets()]
    gold = [utterance.label or "" for dialogue in dataset.test for utterance in dialogue.utterances]
    counts = confusion_counts(gold, [answers[target] for target in targets], dataset.labels)
    found = (round(float(scores(counts, dataset.labels)[name]), 6) for name in METRICS)
    changed = None if reference is None else sum(answers[target] != reference[target] for target in targets)
    return Scored(record.system, record.seed, trained, answered, *found, changed)


def differences(rows: list[Scored]) -> dict[tuple[str, str], dict[str, float]]:
    """Trained and answered in bfloat16 minus each other way, by system and training: means over seeds, F1 in points."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for system in dict.fromkeys(row.system for row in rows):
        own = {row.seed: row for row in rows if row.system == system and row.answered == "bf16"}
        for trained in ("bf16", "float32"):
            others = [r for r in rows if r.system == system and (r.trained, r.answered) == (trained, "float32")]
            found[system, trained] = {
                name: statistics.fmean(getattr(own[other.seed], name) - getattr(other, name) for other in others)
                for name in METRICS
            }
    return found


def read() -> list[Scored]:
    """The committed table."""
    with OUTPUT.open(newline="", encoding="utf-8") as file:
        return [
            Scored(
                row["system"],
                int(row["seed"]),
                row["trained"],
                row["answered"],
                *(float(row[name]) for name in METRICS),
                int(row["changed"]) if row["changed"] else None,
            )
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
