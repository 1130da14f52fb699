from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset, Target, Targets
from erc_bench.contract.system import Context, Prediction
from erc_bench.errors import DataCorruptError, DataMissingError, UnknownNameError, UsageError
from erc_bench.inspection.show import as_json, build_showing, find_other, find_run
from erc_bench.records.predictions import PREDICTIONS_FILE, predictions_bytes
from erc_bench.records.record import Run, RunRecord, TrainedOn, run_folder, write_record

Answer = Callable[[Target, str], str | None]


def make_run(
    results: Path,
    dataset: Dataset,
    system: str,
    answer: Answer,
    *,
    seed: int = 0,
    targets: Targets = "all",
    context: Context = "utterance",
    config_hash: str = "0" * 12,
    settings: dict[str, object] | None = None,
    status: str = "complete",
) -> Run:
    predictions = [
        Prediction(target.dialogue, target.turn, answer(target, dialogue.utterances[target.turn].label or ""))
        for dialogue in dataset.test
        for target in dialogue.targets(targets)
    ]
    data = predictions_bytes(predictions)
    record = RunRecord.model_validate(
        {
            "status": status,
            "system": system,
            "settings": settings or {},
            "config_hash": config_hash,
            "seed": seed,
            "targets": targets,
            "dataset": dataset.name,
            "dataset_fingerprint": dataset.fingerprint,
            "context": context,
            "predictions": len(predictions),
            "predictions_sha256": hashlib.sha256(data).hexdigest(),
        }
    )
    folder = run_folder(results, record)
    folder.mkdir(parents=True)
    (folder / PREDICTIONS_FILE).write_bytes(data)
    write_record(folder, record)
    return Run(folder, record)


def gold(target: Target, label: str) -> str:
    return label


def neutral(target: Target, label: str) -> str:
    return "no emotion"


def test_a_run_is_found_by_folder_title_and_system_name(tmp_path: Path, sample: Dataset) -> None:
    run = make_run(tmp_path, sample, "parrot", gold, settings={"loud": True})
    for name in (str(run.folder), "parrot (loud=true)", "parrot"):
        assert find_run(tmp_path, name)[0].folder == run.folder


def test_the_lowest_seed_is_taken_unless_one_is_named(tmp_path: Path, sample: Dataset) -> None:
    for seed in (3, 1, 2):
        make_run(tmp_path, sample, "parrot", gold, seed=seed)
    assert find_run(tmp_path, "parrot")[0].record.seed == 1
    assert find_run(tmp_path, "parrot", seed=3)[0].record.seed == 3
    with pytest.raises(UsageError, match=r"must be one of those of parrot \(1, 2, 3\), got 7"):
        find_run(tmp_path, "parrot", seed=7)


def test_a_row_to_compare_with_falls_back_to_its_lowest_seed_and_says_so(tmp_path: Path, sample: Dataset) -> None:
    runs = {seed: make_run(tmp_path, sample, "parrot", gold, seed=seed) for seed in (3, 1)}
    for asked, taken in ((None, 1), (3, 3), (7, 1)):
        (run, title), note = find_other(tmp_path, "parrot", dataset="sample", seed=asked)
        assert (run.record.seed, title) == (taken, "parrot")
        assert note == (
            "parrot has no run of seed 7 here (it has 1, 3): comparing with its seed 1." if asked == 7 else None
        )
    (run, _), note = find_other(tmp_path, str(runs[3].folder), dataset="sample", seed=7)
    assert (run.folder, note) == (runs[3].folder, None)


def test_options_that_contradict_a_run_folder_are_refused(tmp_path: Path, sample: Dataset) -> None:
    folder = str(make_run(tmp_path, sample, "parrot", gold, seed=2).folder)
    assert find_run(tmp_path, folder, dataset="sample", seed=2)[0].record.seed == 2
    with pytest.raises(UsageError, match=r"--seed must be 2 for the run in .*, got 7\. Leave it out"):
        find_run(tmp_path, folder, seed=7)
    with pytest.raises(UsageError, match=r"--dataset must be sample for the run in .*, got dailydialog\. Leave it out"):
        find_run(tmp_path, folder, dataset="dailydialog")


def test_a_name_that_fits_several_rows_is_refused_with_their_titles(tmp_path: Path, sample: Dataset) -> None:
    make_run(tmp_path, sample, "parrot", gold, settings={"loud": True}, config_hash="a" * 12)
    make_run(tmp_path, sample, "parrot", gold, settings={"loud": False}, config_hash="b" * 12)
    with pytest.raises(UsageError, match=r"'parrot \(loud=true\)' on sample; 'parrot \(loud=false\)' on sample"):
        find_run(tmp_path, "parrot")


def test_an_unknown_name_suggests_the_nearest(tmp_path: Path, sample: Dataset) -> None:
    make_run(tmp_path, sample, "parrot", gold)
    with pytest.raises(UnknownNameError, match="Did you mean 'parrot'"):
        find_run(tmp_path, "parot")


def test_an_unfinished_run_is_refused(tmp_path: Path, sample: Dataset) -> None:
    run = make_run(tmp_path, sample, "parrot", gold, status="running")
    with pytest.raises(UsageError, match="a run must be complete, got status 'running'"):
        find_run(tmp_path, str(run.folder))


def test_without_filters_everything_is_shown(tmp_path: Path, sample: Dataset) -> None:
    showing = build_showing(sample, (make_run(tmp_path, sample, "parrot", gold), "parrot"))
    assert [dialogue.id for dialogue in showing.dialogues] == [dialogue.id for dialogue in sample.test]
    assert showing.labelled == showing.right == showing.selected == sum(len(dialogue) for dialogue in sample.test)
    assert not showing.filtered


def test_errors_selects_wrong_utterances_and_keeps_their_dialogues_whole(tmp_path: Path, sample: Dataset) -> None:
    showing = build_showing(sample, (make_run(tmp_path, sample, "calm", neutral), "calm"), errors=True)
    emotional = {
        (d.id, turn) for d in sample.test for turn, u in enumerate(d.utterances) if u.label != sample.labels.neutral
    }
    selected = {(d.id, line.turn) for d in showing.dialogues for line in d.lines if line.selected}
    assert selected == emotional
    lengths = {dialogue.id: len(dialogue) for dialogue in sample.test}
    assert all(len(dialogue.lines) == lengths[dialogue.id] for dialogue in showing.dialogues)


def test_label_selects_by_gold_label_and_by_answer(tmp_path: Path, sample: Dataset) -> None:
    first = sample.test[0]

    def once(target: Target, label: str) -> str:
        return "disgust" if target == Target(first.id, 0) else label

    assert first.utterances[0].label != "disgust"
    showing = build_showing(sample, (make_run(tmp_path, sample, "parrot", once), "parrot"), label="disgust")
    selected = {(d.id, line.turn) for d in showing.dialogues for line in d.lines if line.selected}
    by_gold = {(d.id, turn) for d in sample.test for turn, u in enumerate(d.utterances) if u.label == "disgust"}
    assert selected == by_gold | {(first.id, 0)}


def test_dialogue_shows_one(tmp_path: Path, sample: Dataset) -> None:
    run = (make_run(tmp_path, sample, "parrot", gold), "parrot")
    wanted = sample.test[2].id
    assert [d.id for d in build_showing(sample, run, dialogue=wanted).dialogues] == [wanted]
    with pytest.raises(UsageError, match=f"for example {sample.test[0].id}"):
        build_showing(sample, run, dialogue="test-99999")
    with pytest.raises(UnknownNameError, match="Did you mean 'sadness'"):
        build_showing(sample, run, label="sadnes")


def test_compare_counts_where_each_of_two_systems_is_right(tmp_path: Path, sample: Dataset) -> None:
    def half(target: Target, label: str) -> str:
        return label if target.turn % 2 else "no emotion"

    run = make_run(tmp_path, sample, "half", half, context="dialogue")
    other = make_run(tmp_path, sample, "calm", neutral)
    showing = build_showing(sample, (run, "half"), (other, "calm"))
    labels = [(turn, u.label) for d in sample.test for turn, u in enumerate(d.utterances)]
    helped = sum(turn % 2 == 1 and label != "no emotion" for turn, label in labels)
    both_wrong = sum(turn % 2 == 0 and label != "no emotion" for turn, label in labels)
    assert showing.outcomes == {
        "helped": helped,
        "both wrong": both_wrong,
        "both right": len(labels) - helped - both_wrong,
    }
    assert showing.outcomes_on_emotions == {"helped": helped, "both wrong": both_wrong, "both right": 0}
    assert showing.selected == helped
    assert showing.by_context
    turned = build_showing(sample, (other, "calm"), (run, "half"))
    assert turned.outcomes is not None
    assert turned.outcomes["hurt"] == helped
    assert not turned.by_context


def test_compare_selects_differences_whatever_else_filters(tmp_path: Path, sample: Dataset) -> None:
    def half(target: Target, label: str) -> str:
        return label if target.turn % 2 else "no emotion"

    pair = (
        (make_run(tmp_path, sample, "half", half), "half"),
        (make_run(tmp_path, sample, "calm", neutral), "calm"),
    )
    differences = {
        (d.id, turn): u.label
        for d in sample.test
        for turn, u in enumerate(d.utterances)
        if turn % 2 and u.label != "no emotion"
    }

    def selected(
        label: str | None = None, *, errors: bool = False, dialogue: str | None = None
    ) -> set[tuple[str, int]]:
        showing = build_showing(sample, *pair, errors=errors, label=label, dialogue=dialogue)
        return {(d.id, line.turn) for d in showing.dialogues for line in d.lines if line.selected}

    assert selected() == selected(errors=True) == set(differences)
    happy = {where for where, label in differences.items() if label == "happiness"}
    assert happy
    assert selected("happiness") == selected("happiness", errors=True) == happy
    first = sample.test[0]
    assert selected(dialogue=first.id) == {(first.id, turn) for turn in range(len(first))}


def test_last_turn_runs_show_the_other_turns_as_not_labelled(tmp_path: Path, sample: Dataset) -> None:
    run = make_run(tmp_path, sample, "parrot", gold, targets="last")
    showing = build_showing(sample, (run, "parrot"))
    assert showing.labelled == showing.selected == len(sample.test)
    for dialogue in showing.dialogues:
        assert [line.prediction is not None for line in dialogue.lines] == [False] * (len(dialogue.lines) - 1) + [True]
    content = as_json(showing, showing.dialogues[:1])
    assert [line["labelled"] for line in content["dialogues"][0]["utterances"]][-1] is True


def test_of_a_run_trained_elsewhere_only_shared_labels_count(tmp_path: Path, sample: Dataset) -> None:
    run = make_run(tmp_path, sample, "moved", neutral)
    shared = ("no emotion", "anger")
    trained = TrainedOn(
        dataset="other", fingerprint="f", labels=dict(zip("ab", shared, strict=True)), labels_sha256="5"
    )
    moved = Run(run.folder, run.record.model_copy(update={"trained_on": trained}))
    labels = [u.label for dialogue in sample.test for u in dialogue.utterances]
    shown = build_showing(sample, (moved, "moved"), errors=True)
    assert shown.labelled == sum(label in shared for label in labels)
    assert shown.right == labels.count("no emotion")
    assert shown.selected == labels.count("anger")
    assert {line.gold for dialogue in shown.dialogues for line in dialogue.lines if not line.counts} & set(
        shared
    ) == set()


def test_runs_that_share_no_utterance_cannot_be_compared(tmp_path: Path, sample: Dataset) -> None:
    first = make_run(tmp_path, sample, "parrot", gold)
    second = make_run(tmp_path, sample, "calm", neutral, targets="last")
    kept = [Prediction(d.id, 0, "anger") for d in sample.test]
    data = predictions_bytes(kept)
    (first.folder / PREDICTIONS_FILE).write_bytes(data)
    first.record.predictions_sha256 = hashlib.sha256(data).hexdigest()
    with pytest.raises(UsageError, match="got none that both labelled"):
        build_showing(sample, (first, "parrot"), (second, "calm"))


def test_altered_and_missing_predictions_are_refused(tmp_path: Path, sample: Dataset) -> None:
    run = make_run(tmp_path, sample, "parrot", gold)
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b"happiness", b"sadness", 1))
    with pytest.raises(DataCorruptError, match="it was altered"):
        build_showing(sample, (run, "parrot"))
    path.unlink()
    with pytest.raises(DataMissingError, match=r"must hold predictions\.jsonl"):
        build_showing(sample, (run, "parrot"))
