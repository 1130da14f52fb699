"""Dialogues with gold and predicted labels side by side, and where two systems differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.records.groups import check_run
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import Run
from erc_bench.records.select import is_run_folder, row_named

Outcome = Literal["helped", "hurt", "both right", "both wrong"]
READS_MORE = {"utterance": 0, "past": 1, "dialogue": 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance: what was said, the gold label, and what one or two systems answered.

    `prediction` is None where the run did not label the utterance (`--targets last`). `outcome` says how two systems
    differ: `helped` where only the first is right, `hurt` where only the other one is. `selected` marks the utterances
    that a filter asked for; the others of their dialogue stand beside them to be read. `counts` is False where a run that
    was trained on another corpus is not scored, since that corpus has no such label.
    """

    turn: int
    speaker: str
    text: str
    gold: str | None
    prediction: Prediction | None
    other: Prediction | None = None
    outcome: Outcome | None = None
    selected: bool = False
    counts: bool = True

    @property
    def right(self) -> bool:
        """Whether the first system gave the gold label."""
        return self.prediction is not None and self.prediction.label == self.gold


@dataclass(frozen=True, slots=True)
class ShownDialogue:
    """A dialogue that holds at least one selected utterance."""

    id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Showing:
    """What `erc-bench show` prints. `dialogues` are all that match, in dataset order.

    `filtered` says whether a filter or a comparison selects. `labelled` counts the utterances that the run labelled (of one
    trained on another corpus, those whose label both have), `right` those where it gave the gold label, `outcomes` how two
    runs differ over all of them, and `outcomes_on_emotions` the same where the gold label is an emotion.
    """

    run: Run
    title: str
    labels: LabelSet
    dialogues: tuple[ShownDialogue, ...]
    labelled: int
    right: int
    selected: int
    filtered: bool = False
    other: Run | None = None
    other_title: str = ""
    outcomes: Mapping[str, int] | None = None
    outcomes_on_emotions: Mapping[str, int] | None = None

    @property
    def by_context(self) -> bool:
        """Whether the first system reads more of the dialogue than the other one: then context helped or hurt."""
        if self.other is None:
            return False
        first, second = (run.record.context for run in (self.run, self.other))
        return first is not None and second is not None and READS_MORE[first] > READS_MORE[second]


def find_run(results: Path, name: str, *, dataset: str | None = None, seed: int | None = None) -> tuple[Run, str]:
    """A complete run and its title, from any name of it (see `erc_bench.records.select`).

    Of several seeds the lowest is taken unless `seed` names one.

    Raises
    ------
    UnknownNameError
        No complete run of that name.
    UsageError
        Several runs fit (their titles are named), the run is not complete, or `dataset` or `seed` is not the run's.
    """
    named = row_named(results, name, dataset=None if is_run_folder(name) else dataset)
    runs, title = named.group.runs, named.title
    if is_run_folder(name):
        record = runs[0].record
        for option, wanted, got in (("dataset", dataset, record.dataset), ("seed", seed, record.seed)):
            if wanted not in (None, got):
                raise UsageError(f"--{option} must be {got} for the run in {name}, got {wanted}. Leave it out.")
    for run in runs:
        if seed in (None, run.record.seed):
            return run, title
    raise UsageError(f"--seed must be one of those of {title} ({_seeds(runs)}), got {seed}.")


def find_other(
    results: Path, name: str, *, dataset: str, seed: int | None = None
) -> tuple[tuple[Run, str], str | None]:
    """A run to compare with and its title, and a note if it is a row that has not the seed asked for.

    Such a row gives its lowest seed, since rows need not have been made with the same seeds; a run folder is taken as
    it is. Errors are those of `find_run`.
    """
    named = row_named(results, name, dataset=dataset)
    runs, title = named.group.runs, named.title
    run = next((run for run in runs if run.record.seed == seed), runs[0])
    note = None
    if seed not in (None, run.record.seed) and not is_run_folder(name):
        note = f"{title} has no run of seed {seed} here (it has {_seeds(runs)}): comparing with its seed {run.record.seed}."
    return (run, title), note


def _seeds(runs: Sequence[Run]) -> str:
    return ", ".join(str(run.record.seed) for run in runs)


def build_showing(
    dataset: Dataset,
    run: tuple[Run, str],
    other: tuple[Run, str] | None = None,
    *,
    errors: bool = False,
    label: str | None = None,
    dialogue: str | None = None,
) -> Showing:
    """Lay predictions beside the gold labels, and select utterances.

    Parameters
    ----------
    errors
        Only utterances that a run got wrong.
    label, dialogue
        Only utterances with this gold label or this answer; only this dialogue.

    With `other`, only utterances where exactly one of the two systems is right are selected, whatever else filters;
    `dialogue` alone takes away this condition.

    Raises
    ------
    UnknownNameError
        No label or dialogue of that name.
    DataMissingError, DataCorruptError
        A run made on other data, or without its predictions.
    UsageError
        The two runs share no utterance, or are on different datasets.
    """
    _check_filters(dataset, label, dialogue)
    mine, theirs = _predictions(dataset, run[0]), _predictions(dataset, other[0]) if other else None
    if theirs is not None and not mine.keys() & theirs.keys():
        raise UsageError("two runs must have labelled the same utterances to be compared, got none that both labelled.")
    counted = _counted(dataset, [side[0] for side in (run, other) if side])
    every = {found.id: _lines(found, mine, theirs, counted) for found in dataset.test}
    lines = [line for dialogue_lines in every.values() for line in dialogue_lines]
    choose = partial(_selected, compared=bool(other), errors=errors, label=label, whole=bool(dialogue))
    shown = []
    for name, dialogue_lines in every.items():
        selected = tuple(map(choose, dialogue_lines))
        if dialogue in (None, name) and any(line.selected for line in selected):
            shown.append(ShownDialogue(name, selected))
    outcomes: Counter[str] = Counter(line.outcome for line in lines if line.outcome is not None)
    emotional: Counter[str | None] = Counter(line.outcome for line in lines if line.gold != dataset.labels.neutral)
    return Showing(
        run=run[0],
        title=run[1],
        labels=dataset.labels,
        dialogues=tuple(shown),
        labelled=sum(line.counts and line.prediction is not None for line in lines),
        right=sum(line.counts and line.right for line in lines),
        selected=sum(line.selected for found in shown for line in found.lines),
        filtered=bool(other or errors or label),
        other=other[0] if other else None,
        other_title=other[1] if other else "",
        outcomes=dict(outcomes) if other else None,
        outcomes_on_emotions={outcome: emotional[outcome] for outcome in outcomes} if other else None,
    )


def _check_filters(dataset: Dataset, label: str | None, dialogue: str | None) -> None:
    if label is not None and label not in dataset.labels.names:
        raise UnknownNameError("a label", label, dataset.labels.names)
    if dialogue is not None and dialogue not in {found.id for found in dataset.test}:
        raise UsageError(
            f"--dialogue must be the id of a test dialogue of {dataset.name}, got {dialogue!r}: for example "
            f"{dataset.test[0].id}."
        )


def _counted(dataset: Dataset, runs: Sequence[Run]) -> set[str]:
    """The labels that all runs are scored on."""
    counted = set(dataset.labels.names)
    for run in runs:
        counted &= set(run.record.shared_labels or counted)
    return counted


def _lines(
    dialogue: Dialogue,
    mine: Mapping[Target, Prediction],
    theirs: Mapping[Target, Prediction] | None,
    counted: Collection[str],
) -> list[Line]:
    found = []
    for turn, utterance in enumerate(dialogue.utterances):
        target = Target(dialogue.id, turn)
        first, second = mine.get(target), None if theirs is None else theirs.get(target)
        counts = utterance.label in counted
        outcome = _outcome(utterance.label, first, second) if counts else None
        line = Line(turn, utterance.speaker, utterance.text, utterance.label, first, second, outcome, counts=counts)
        found.append(line)
    return found


def _predictions(dataset: Dataset, run: Run) -> dict[Target, Prediction]:
    if run.record.dataset != dataset.name:
        raise UsageError(f"both runs must be on one dataset, got {dataset.name} and {run.record.dataset}.")
    check_run(run, dataset)
    found = read_predictions(run.folder)
    if not found:
        raise DataMissingError(f"{run.folder} must hold predictions, got none. Make the run again with --overwrite.")
    return found


def _outcome(gold: str | None, first: Prediction | None, second: Prediction | None) -> Outcome | None:
    if first is None or second is None:
        return None
    if (first.label == gold) == (second.label == gold):
        return "both right" if first.label == gold else "both wrong"
    return "helped" if first.label == gold else "hurt"


def _selected(line: Line, *, compared: bool, errors: bool, label: str | None, whole: bool) -> Line:
    answers = [found for found in (line.prediction, line.other) if found is not None]
    wanted = bool(answers)
    if compared:
        wanted = line.outcome is not None if whole else line.outcome in ("helped", "hurt")
    if errors:
        wanted = wanted and line.counts and any(found.label != line.gold for found in answers)
    if label is not None:
        wanted = wanted and label in (line.gold, *(found.label for found in answers))
    if not wanted:
        return line
    return replace(line, selected=True)


def as_json(showing: Showing, dialogues: Sequence[ShownDialogue]) -> dict[str, Any]:
    """A showing as plain JSON values, with the given part of its dialogues."""
    content: dict[str, Any] = {
        "run": _described(showing.run, showing.title),
        "labelled": showing.labelled,
        "right": showing.right,
        "selected_utterances": showing.selected,
        "selected_dialogues": len(showing.dialogues),
    }
    if showing.other is not None:
        content["other"] = _described(showing.other, showing.other_title)
        content["outcomes"] = showing.outcomes
        content["outcomes_on_emotions"] = showing.outcomes_on_emotions
    content["dialogues"] = [
        {"id": dialogue.id, "utterances": [_line(line, showing.other is not None) for line in dialogue.lines]}
        for dialogue in dialogues
    ]
    return content


def _described(run: Run, title: str) -> dict[str, Any]:
    record = run.record
    return {
        "title": title,
        "system": record.system,
        "dataset": record.dataset,
        "seed": record.seed,
        "context": record.context,
        "folder": str(run.folder),
    }


def _line(line: Line, compared: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "turn": line.turn,
        "speaker": line.speaker,
        "text": line.text,
        "gold": line.gold,
        "labelled": line.prediction is not None,
        "predicted": line.prediction.label if line.prediction else None,
        "selected": line.selected,
        "counts": line.counts,
    }
    if line.prediction is not None and line.prediction.raw is not None:
        content["raw"] = line.prediction.raw
    if compared:
        content["other"] = line.other.label if line.other else None
        content["outcome"] = line.outcome
    return content
