from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sklearn.metrics import f1_score

from erc_bench.contract.domain import Dataset, Target
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.labelled import ANNOTATORS
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.transfer import TRANSFER, shared_part
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import RunGroup, group_runs
from erc_bench.records.record import Run, TrainedOn, find_runs
from erc_bench.records.seen import SEEN_FILE, write_seen

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]
SHARED = {"calm": "no emotion", "joy": "happiness", "mad": "anger"}
OTHER = TrainedOn(
    dataset="elsewhere", fingerprint="e" * 64, labels=SHARED, labels_sha256="5" * 64, left_out={"awe": 12}
)
SEEN = (Target("test-00005", 0), Target("test-00005", 1))


@pytest.fixture
def transferred(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> Run:
    """A system trained elsewhere that errs on anger, beside one that was trained on the corpus and is always right."""
    answers = ["happiness" if label == "anger" else label if label in SHARED.values() else None for label in gold(mini)]
    run = write_run(tmp_path, mini, answers, config_hash="a" * 12, trained_on=OTHER)
    write_seen(run.folder, mini, OTHER.fingerprint, SEEN)
    write_run(tmp_path, mini, gold(mini))
    write_run(tmp_path, mini, ["happiness"] * len(gold(mini)), system="stranger")
    return run


def sections(results: Path, dataset: Dataset) -> dict[str, Section]:
    found = TRANSFER.sections(DatasetRuns.of(dataset, group_runs(find_runs(results))))
    return {section.subset: section for section in found}


def test_rows_are_scored_on_what_both_corpora_label(
    tmp_path: Path, mini: Dataset, gold: Gold, transferred: Run
) -> None:
    section = sections(tmp_path, mini)["all"]
    assert section.protocol == "transfer from elsewhere"
    counted = [label for label in gold(mini) if label in SHARED.values()]
    assert section.utterances == len(counted)
    rows = {row.title: row for row in section.rows}
    assert set(rows) == {"echo (trained on elsewhere)", "echo"}
    emotions = ["anger", "happiness"]
    answers = ["happiness" if label == "anger" else label for label in counted]
    expected = 100 * f1_score(counted, answers, labels=emotions, average="macro", zero_division=0)
    assert rows["echo (trained on elsewhere)"].scores["macro_f1"].value == pytest.approx(expected)
    assert rows["echo"].scores["macro_f1"].value == 100
    assert list(rows["echo"].per_label) == ["no emotion", "anger", "happiness"]


def test_an_answer_that_does_not_count_is_wrong_and_never_neutral(
    tmp_path: Path, mini: Dataset, gold: Gold, transferred: Run, write_run: WriteRun
) -> None:
    afraid = ["fear" if label == "no emotion" else label for label in gold(mini)]
    write_run(tmp_path, mini, afraid, config_hash="b" * 12, settings={"timid": True})
    row = next(row for row in sections(tmp_path, mini)["all"].rows if "timid" in row.title)
    neutral = sum(label == "no emotion" for label in gold(mini))
    assert row.scores["unusable_rate"].value == pytest.approx(neutral / sections(tmp_path, mini)["all"].utterances)
    assert row.per_label["no emotion"]["recall"] == 0
    assert row.unusable_as_neutral == {}


def test_what_was_left_out_is_said(tmp_path: Path, mini: Dataset, gold: Gold, transferred: Run) -> None:
    notes = " ".join(sections(tmp_path, mini)["all"].rows[0].notes)
    fear = gold(mini).count("fear")
    assert "no emotion (calm), anger (mad), happiness (joy)" in notes
    assert f"fear {fear}" in notes
    assert "12 (awe 12)" in notes


def test_not_verbatim_leaves_out_what_stands_in_either_training_split(
    tmp_path: Path, mini: Dataset, transferred: Run
) -> None:
    unseen = sections(tmp_path, mini)["not-verbatim"]
    part = shared_part(mini, SHARED.values())
    own = {"test-00000", "test-00001"}  # the two that stand word for word in the corpus's own training split
    kept = [target for target in part.targets if target.dialogue not in own and target not in SEEN]
    assert unseen.utterances == len(kept) < len(part)
    assert unseen.dialogues == 22


def test_other_protocols_do_not_score_what_was_trained_elsewhere(
    tmp_path: Path, mini: Dataset, transferred: Run
) -> None:
    runs = DatasetRuns.of(mini, group_runs(find_runs(tmp_path)))
    for protocol in (UTTERANCE, EMOTIONAL):
        titles = {row.title for section in protocol.sections(runs) for row in section.rows}
        assert titles - {ANNOTATORS} == {"echo", "stranger"}


def test_without_such_runs_there_is_no_section(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    write_run(tmp_path, mini, gold(mini))
    assert sections(tmp_path, mini) == {}


def test_rows_in_other_labels_share_no_section(
    tmp_path: Path, mini: Dataset, gold: Gold, transferred: Run, write_run: WriteRun
) -> None:
    fewer = OTHER.model_copy(update={"labels_sha256": "6" * 64})
    run = write_run(tmp_path, mini, gold(mini), config_hash="c" * 12, trained_on=fewer)
    write_seen(run.folder, mini, OTHER.fingerprint, SEEN)
    with pytest.raises(DataCorruptError, match="must have seen one corpus in the same labels"):
        sections(tmp_path, mini)


def test_nothing_that_counts(mini: Dataset) -> None:
    part = shared_part(mini, SHARED.values())
    with pytest.raises(DataError, match="must have a label that counts and be unseen"):
        shared_part(mini, SHARED.values(), without=part.targets)


def test_the_list_of_seen_utterances_is_verified(mini: Dataset, transferred: Run) -> None:
    assert list(TRANSFER.differences(transferred, mini)) == []
    (transferred.folder / SEEN_FILE).write_text("{}")
    assert len(list(TRANSFER.differences(transferred, mini))) == 1


def test_a_group_that_labelled_last_turns_is_not_covered(transferred: Run) -> None:
    assert TRANSFER.covers(RunGroup((transferred,)))
    last = Run(transferred.folder, transferred.record.model_copy(update={"targets": "last"}))
    assert not TRANSFER.covers(RunGroup((last,)))
