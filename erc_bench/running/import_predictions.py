"""Predictions made elsewhere: a JSONL or CSV file, checked line by line, becomes a run record.

Every line gives `dialogue`, `turn` (counted from 0) and `label`; an empty cell or null says that the system gave no
usable answer. `raw` (the text a model wrote) and `scores` (an object from labels to numbers) are optional.
"""

from __future__ import annotations

import codecs
import csv
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erc_bench.contract.config import config_hash
from erc_bench.contract.domain import Dataset, Target, Targets, targets_of
from erc_bench.contract.system import Context, NoConfig, Prediction
from erc_bench.errors import DataCorruptError, DataMissingError, UsageError
from erc_bench.files import file_sha256, parse_json, remove_leftovers, storage_errors, write_atomically
from erc_bench.protocols.headline import headline_scores
from erc_bench.records import provenance
from erc_bench.records.predictions import PACKED_FILE, PREDICTIONS_FILE, is_finite_number, predictions_bytes
from erc_bench.records.record import (
    RUN_FILE,
    ContextCheck,
    Run,
    RunRecord,
    read_record,
    run_folder,
    write_record,
)

REQUIRED = ("dialogue", "turn", "label")
OPTIONAL = ("raw", "scores")
SUFFIXES = (".jsonl", ".csv")
MAX_PROBLEMS = 20
MAX_SHOWN = 60
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,78}[A-Za-z0-9+])?")


def read_predictions_file(path: Path, dataset: Dataset, targets: Targets = "all") -> list[Prediction]:
    """Predictions for every target, in the order of the test split.

    Raises
    ------
    UsageError
        Neither .jsonl nor .csv.
    DataMissingError
        No such file.
    DataCorruptError
        The file has problems: the first twenty with their lines, and the number of the others.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"a file of predictions must end in {' or '.join(SUFFIXES)}, got {path.name}.")
    if not path.is_file():
        raise DataMissingError(f"a file of predictions must exist, got {path}.")
    reading = _Reading.of(dataset, targets)
    lines = _csv_lines(path, reading) if path.suffix.lower() == ".csv" else _json_lines(path, reading)
    with storage_errors(path):
        for number, fields in lines:
            reading.add(number, fields)
    return reading.result(path)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


@dataclass
class _Reading:
    """What was read so far: predictions by target, the line of each, and every problem."""

    labels: tuple[str, ...]
    lengths: Mapping[str, int]
    wanted: Mapping[Target, None]
    targets: Targets
    found: dict[Target, Prediction] = field(default_factory=dict)
    lines: dict[Target, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, dataset: Dataset, targets: Targets) -> _Reading:
        wanted = dict.fromkeys(targets_of(dataset.test, targets))
        lengths = {dialogue.id: len(dialogue) for dialogue in dataset.test}
        return cls(dataset.labels.names, lengths, wanted, targets)

    def problem(self, number: int, message: str) -> None:
        self.problems.append(f"line {number}: {message}")

    def add(self, number: int, fields: Mapping[str, Any]) -> None:
        before = len(self.problems)
        for name in REQUIRED:
            if name not in fields:
                self.problem(number, f"{name} must be given, got none")
        for name in fields:
            if name not in REQUIRED + OPTIONAL:
                self.problem(number, f"a field must be one of {', '.join(REQUIRED + OPTIONAL)}, got {_shown(name)}")
        if len(self.problems) > before:
            return
        target = self._target(number, fields["dialogue"], fields["turn"])
        label = fields["label"]
        if label is not None and label not in self.labels:
            self.problem(number, f"label must be one of {', '.join(self.labels)} or empty, got {_shown(label)}")
        raw = fields.get("raw")
        if raw is not None and not isinstance(raw, str):
            self.problem(number, f"raw must be a text, got {_shown(raw)}")
        scores = self._scores(number, fields.get("scores"))
        if target is None:
            return
        if target in self.lines:
            self.problem(
                number, f"every target must stand once, got {_named(target)} again after line {self.lines[target]}"
            )
            return
        self.lines[target] = number
        if len(self.problems) == before:
            self.found[target] = Prediction(target.dialogue, target.turn, label, scores, raw)

    def _target(self, number: int, dialogue: object, turn: object) -> Target | None:
        if not isinstance(dialogue, str) or dialogue not in self.lengths:
            example = next(iter(self.lengths))
            self.problem(
                number, f"dialogue must be one of the test split, for example {example}, got {_shown(dialogue)}"
            )
            return None
        last = self.lengths[dialogue] - 1
        if not isinstance(turn, int) or isinstance(turn, bool) or not 0 <= turn <= last:
            self.problem(number, f"turn of {dialogue} must be a whole number from 0 to {last}, got {_shown(turn)}")
            return None
        target = Target(dialogue, turn)
        if target not in self.wanted:
            self.problem(number, f"with --targets last, turn of {dialogue} must be {last} (its last), got {turn}")
            return None
        return target

    def _scores(self, number: int, scores: object) -> dict[str, float] | None:
        if scores is None:
            return None
        if not isinstance(scores, dict) or not all(
            name in self.labels and is_finite_number(value) for name, value in scores.items()
        ):
            self.problem(number, f"scores must be an object from labels to finite numbers, got {_shown(scores)}")
            return None
        return scores

    def result(self, path: Path) -> list[Prediction]:
        missing = [target for target in self.wanted if target not in self.lines]
        problems = [*self.problems, *(f"{_named(target)} must have a prediction, got none" for target in missing)]
        if not problems:
            return [self.found[target] for target in self.wanted]
        shown = [f"- {problem}" for problem in problems[:MAX_PROBLEMS]]
        if len(problems) > MAX_PROBLEMS:
            shown.append(f"- and {len(problems) - MAX_PROBLEMS:,} more")
        which = "test utterance" if self.targets == "all" else "last test utterance"
        raise DataCorruptError(
            "\n".join(
                [
                    f"{path} must give every {which} one known label (or none), but:",
                    *shown,
                    f"Correct the file: {len(self.wanted):,} targets are expected, {len(self.lines):,} were found. "
                    "Nothing was written.",
                ]
            )
        )


def _named(target: Target) -> str:
    return f"{target.dialogue} turn {target.turn}"


def _json_lines(path: Path, reading: _Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            line = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip()
            if not line:
                continue
            try:
                fields = parse_json(line)
            except ValueError as error:
                shown = _shown(line.decode("utf-8", "replace"))
                reading.problem(number, f"a line must be a JSON object, got {shown} ({error})")
                continue
            if isinstance(fields, dict):
                yield number, fields
            else:
                reading.problem(number, f"a line must be a JSON object, got {_shown(fields)}")


def _csv_lines(path: Path, reading: _Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    # Bytes that are not UTF-8 become halves of surrogate pairs, so that the line of the first can be named.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            absent = [name for name in REQUIRED if name not in header]
            unknown = [name for name in header if name not in REQUIRED + OPTIONAL]
            if absent or unknown or len(set(header)) < len(header):
                reading.problem(
                    1, f"columns must be {', '.join(REQUIRED)} and perhaps raw, scores, got {_shown(header)}"
                )
                return
            for cells in reader:
                if not cells:
                    continue
                if not _is_text("".join(cells)):
                    reading.problem(reader.line_num, f"a line must be UTF-8 text, got {_shown(','.join(cells))}")
                    continue
                if len(cells) != len(header):
                    reading.problem(reader.line_num, f"a line must have {len(header)} cells, got {len(cells)}")
                    continue
                yield reader.line_num, _cells(dict(zip(header, cells, strict=True)))
        except csv.Error as error:
            reading.problem(
                reader.line_num, f"a line must be CSV, got an error: {error}. The lines after it were not read"
            )


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cells(cells: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = dict(cells)
    if re.fullmatch(r"[0-9]{1,9}", cells["turn"].strip()):
        fields["turn"] = int(cells["turn"])
    fields["label"] = cells["label"].strip() or None
    fields["raw"] = cells.get("raw") or None
    if scores := cells.get("scores", "").strip():
        try:
            fields["scores"] = parse_json(scores.encode())
        except ValueError:
            fields["scores"] = scores
    else:
        fields["scores"] = None
    return fields


def check_name(name: str) -> None:
    """Refuse a name that cannot be a folder on every system, or that a registered system has.

    Raises
    ------
    UsageError
        Such a name.
    """
    from erc_bench.contract.registry import system_names

    if not NAME.fullmatch(name):
        raise UsageError(
            "--name must be 1 to 80 letters, digits, dots, hyphens, underscores or plus signs, and begin with a letter or "
            f"digit and not end with a dot or hyphen, got {name!r}."
        )
    if name.casefold() in {known.casefold() for known in system_names()}:
        raise UsageError(
            f"--name must not be that of a registered system, got {name!r}: its row would pass for a measured one. "
            f"Take another, for example {name}-elsewhere."
        )


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is said of predictions made elsewhere: `source` is a citation or an address."""

    name: str
    targets: Targets = "all"
    seed: int = 0
    context: Context | None = None
    source: str = ""


def import_predictions(
    path: Path, scoring: Scoring, dataset: Dataset, results: Path, *, overwrite: bool = False
) -> Run:
    """Make a run record with the evidence `predictions`; nothing is written unless the whole file is sound.

    Raises
    ------
    UsageError
        The name cannot be used, or other predictions stand under that name and seed and `overwrite` is not set.
    DataError
        See `read_predictions_file`.
    """
    check_name(scoring.name)
    predictions = read_predictions_file(path, dataset, scoring.targets)
    record = RunRecord(
        status="complete",
        evidence="predictions",
        system=scoring.name,
        summary="predictions made elsewhere, scored from a file",
        reference=scoring.source,
        config_hash=config_hash(NoConfig(), targets=scoring.targets),
        seed=scoring.seed,
        targets=scoring.targets,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        context=scoring.context,
        context_check=ContextCheck(tested=False, reason="the predictions were made elsewhere"),
        measurements={"file": path.name, "file_sha256": file_sha256(path)},
        scores=headline_scores(dataset, scoring.targets, predictions),
        predictions=len(predictions),
        versions=provenance.versions(),
        command=_command(path, scoring, dataset.name),
    )
    folder = run_folder(results, record)
    _check_free(folder, record, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    (folder / PACKED_FILE).unlink(missing_ok=True)
    write_atomically(folder / PREDICTIONS_FILE, predictions_bytes(predictions))
    record.predictions_sha256 = file_sha256(folder / PREDICTIONS_FILE)
    write_record(folder, record)
    return Run(folder, record)


def _check_free(folder: Path, record: RunRecord, *, overwrite: bool) -> None:
    if overwrite or not (folder / RUN_FILE).is_file():
        return
    if read_record(folder).measurements.get("file_sha256") != record.measurements["file_sha256"]:
        raise UsageError(
            f"other predictions named {record.system} with seed {record.seed} must not be replaced by accident, got them in "
            f"{folder}. Take another --name or --seed, or add --overwrite."
        )


def _command(path: Path, scoring: Scoring, dataset: str) -> str:
    parts = ["erc-bench", "score", path.name, "--name", scoring.name, "--dataset", dataset, "--seed", str(scoring.seed)]
    if scoring.targets != "all":
        parts += ["--targets", scoring.targets]
    return shlex.join(parts)
