from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.data.dailydialog import DAILYDIALOG
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, UnknownNameError, UsageError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.protocols.few_shot import (
    EPISODES,
    FEW_SHOT_FILE,
    FewShotCounts,
    chance_confusion,
    check_withheld,
    few_shot_counts,
    run_counts,
    withhold,
)
from erc_bench.records.record import EMBEDDINGS_FILE
from erc_bench.running.runner import RunOutcome, RunRequest, execute
from erc_bench.scoring import metrics
from erc_bench.toolkit.prototypes import class_statistics

LABELS = LabelSet(("calm", "joy", "rage"), neutral="calm")
DIM = 40


def space(
    count: int, *, gap: float, spread: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Three round clouds of vectors, `gap` apart from the origin along axes of their own."""
    generator = np.random.default_rng(seed)
    gold = np.repeat(np.arange(3), count)
    vectors = generator.normal(0, spread, (3 * count, DIM))
    vectors[np.arange(3 * count), gold] += gap
    return vectors.astype(np.float32), gold


def episodes(gap: float, withheld: str = "rage", spread: float = 1.0) -> FewShotCounts:
    train, train_gold = space(200, gap=gap, spread=spread, seed=1)
    test, test_gold = space(100, gap=gap, spread=spread, seed=2)
    column = LABELS.index(withheld)
    seen = class_statistics([(train, np.where(train_gold == column, -1, train_gold))], 3)
    return few_shot_counts(test, test_gold, seen, train[train_gold == column], withheld, LABELS)


def withheld_f1(counts: FewShotCounts, shot: int) -> NDArray[np.float64]:
    column = LABELS.index(counts.withheld)
    return metrics.per_label(counts.confusions[shot], LABELS)["f1"][..., column]


def test_withholding_removes_labels_and_nothing_else(sample: Dataset) -> None:
    before = [u for d in sample.train for u in d.utterances]
    after = [u for d in withhold(sample.train, "anger") for u in d.utterances]
    assert [u.text for u in before] == [u.text for u in after]
    assert all(
        b.label == a.label or (b.label == "anger" and a.label is None) for b, a in zip(before, after, strict=True)
    )
    assert not any(u.label == "anger" for u in after)


def test_only_emotions_can_be_withheld() -> None:
    assert check_withheld("fear", DAILYDIALOG.labels) == "fear"
    for wrong in ("no emotion", "joyful"):
        with pytest.raises(UnknownNameError, match="withheld label"):
            check_withheld(wrong, DAILYDIALOG.labels)


def test_well_separated_labels_are_recognised_from_one_example() -> None:
    counts = episodes(gap=30.0)
    assert all((withheld_f1(counts, shot) == 100).all() for shot in (1, 5, 20))


def test_every_episode_counts_every_utterance_once() -> None:
    counts = episodes(gap=2.0)
    for confusion in [*counts.confusions.values(), *counts.corrected.values()]:
        assert confusion.shape == (EPISODES, 3, 4)
        assert (confusion.sum(axis=-1) == 100).all()
        assert not confusion[..., -1].any()


def test_more_examples_help() -> None:
    counts = episodes(gap=4.0)
    one, five, twenty = (withheld_f1(counts, shot).mean() for shot in (1, 5, 20))
    assert one < five < twenty


def test_few_examples_are_not_held_against_a_label() -> None:
    """A mean of one vector, sqrt(40) away from its own label, is never nearest unless distances are corrected."""
    counts = episodes(gap=0.0)
    plain, corrected = (
        read[1][..., LABELS.index("rage")].sum() / read[1].sum() for read in (counts.confusions, counts.corrected)
    )
    assert plain < 0.01
    assert 0.2 < corrected < 0.7


def test_labels_without_training_vectors_are_never_predicted() -> None:
    test, gold = space(20, gap=5.0)
    only_calm = class_statistics([(test, np.where(gold == 0, 0, -1))], 3)
    counts = few_shot_counts(test, gold, only_calm, test[gold == 2], "rage", LABELS)
    assert not counts.confusions[5][..., 1].any()


def test_utterances_without_a_vector_get_no_usable_answer() -> None:
    test, gold = space(20, gap=5.0)
    seen = class_statistics([(test, gold)], 3)
    test[:3] = np.nan
    counts = few_shot_counts(test, gold, seen, test[gold == 2], "rage", LABELS)
    assert (counts.confusions[1][:, 0, -1] == 3).all()


def test_the_number_of_examples_is_limited_by_what_there_is() -> None:
    test, gold = space(20, gap=5.0)
    seen = class_statistics([(test, gold)], 3)
    counts = few_shot_counts(test, gold, seen, test[gold == 2][:7], "rage", LABELS)
    assert set(counts.confusions) == {1, 5}
    with pytest.raises(DataError, match="at least 1 training utterances"):
        few_shot_counts(test, gold, seen, test[:0], "rage", LABELS)


def test_chance_is_what_uniform_guessing_gives() -> None:
    gold = np.repeat(np.arange(3), (600, 300, 100))
    expected = metrics.per_label(chance_confusion(gold, LABELS), LABELS)["f1"]
    generator = np.random.default_rng(0)
    guessed = np.zeros((3, 4))
    np.add.at(guessed, (np.tile(gold, 200), generator.integers(0, 3, 200_000)), 1)
    np.testing.assert_allclose(metrics.per_label(guessed, LABELS)["f1"], expected, atol=0.3)


class Embedder(System[NoConfig]):
    """Embeds by the first letters of a text and remembers which labels it was trained on."""

    info = SystemInfo("embedder", "first letters", "none", "utterance", "CC0-1.0", deterministic=False)
    seen: tuple[str, ...] = ()

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        self.seen = tuple(sorted({u.label or "withheld" for d in (*train, *validation) for u in d.utterances}))

    def save(self, folder: Path) -> None:
        (folder / "seen.json").write_text(json.dumps(self.seen))

    def load(self, folder: Path) -> None:
        self.seen = tuple(json.loads((folder / "seen.json").read_text()))

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        for target in targets:
            yield Prediction(*target, None)

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterator[NDArray[np.float32]]:
        assert all(u.label is None for d in dialogues for u in d.utterances)
        for dialogue in dialogues:
            texts = [utterance.text.encode().ljust(4)[:4] for utterance in dialogue.utterances]
            yield np.array([list(text) for text in texts], np.float32)


class Untrained(Embedder):
    @property
    def trains(self) -> bool:
        return False


def run(sample: Dataset, results: Path, system: type[System[Any]] = Embedder, **changes: Any) -> RunOutcome:
    return execute(RunRequest(system, NoConfig(), sample, results, **changes), SilentProgress())


def test_a_run_with_a_label_withheld_never_sees_it_and_stands_apart(sample: Dataset, tmp_path: Path) -> None:
    plain, without = run(sample, tmp_path), run(sample, tmp_path, withheld="sadness")
    assert plain.run.folder != without.run.folder
    assert without.run.record.title == "embedder (without sadness)"
    assert without.run.record.command.endswith("--withhold sadness")
    seen = json.loads((without.run.folder / "model" / "seen.json").read_text())
    assert "sadness" not in seen
    assert "withheld" in seen
    assert "sadness" in json.loads((plain.run.folder / "model" / "seen.json").read_text())
    counts = run_counts(without.run.folder, sample, "sadness")
    assert counts.withheld == "sadness"
    assert set(counts.confusions) <= {1, 5, 20}
    assert not (plain.run.folder / FEW_SHOT_FILE).exists()


def test_the_counts_are_read_without_embeddings_and_checked(sample: Dataset, tmp_path: Path) -> None:
    folder = run(sample, tmp_path, withheld="anger").run.folder
    before = run_counts(folder, sample, "anger")
    (folder / EMBEDDINGS_FILE).unlink()
    kept = run_counts(folder, sample, "anger")
    np.testing.assert_array_equal(before.confusions[1], kept.confusions[1])
    np.testing.assert_array_equal(before.corrected[1], kept.corrected[1])
    content = json.loads((folder / FEW_SHOT_FILE).read_text())
    content["confusions"]["1"][0][0][0] += 1
    (folder / FEW_SHOT_FILE).write_text(json.dumps(content))
    with pytest.raises(DataCorruptError, match="count every test utterance once"):
        run_counts(folder, sample, "anger")
    content["confusions"]["1"][0][0][0] = -1
    content["confusions"]["1"][0][0][-1] += int(before.confusions[1][0, 0, 0]) + 1
    (folder / FEW_SHOT_FILE).write_text(json.dumps(content))
    with pytest.raises(DataCorruptError, match="count every test utterance once"):
        run_counts(folder, sample, "anger")
    (folder / FEW_SHOT_FILE).write_text(json.dumps(content | {"dataset_fingerprint": "0"}))
    with pytest.raises(DataCorruptError, match="other data"):
        run_counts(folder, sample, "anger")
    (folder / FEW_SHOT_FILE).write_text("{")
    with pytest.raises(DataCorruptError, match="must hold the counts"):
        run_counts(folder, sample, "anger")
    (folder / FEW_SHOT_FILE).unlink()
    with pytest.raises(DataMissingError, match=FEW_SHOT_FILE):
        run_counts(folder, sample, "anger")


@pytest.mark.parametrize("recorded", ["fear", "no emotion", None])
def test_counts_of_another_withheld_label_are_refused(sample: Dataset, tmp_path: Path, recorded: str | None) -> None:
    folder = run(sample, tmp_path, withheld="anger").run.folder
    with pytest.raises(DataCorruptError, match=f"those of 'anger', where the run withheld {recorded!r}"):
        run_counts(folder, sample, recorded)


def test_a_label_that_cannot_be_withheld_is_refused_though_both_files_name_it(sample: Dataset, tmp_path: Path) -> None:
    path = run(sample, tmp_path, withheld="anger").run.folder / FEW_SHOT_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"withheld": "no emotion"}))
    with pytest.raises(DataCorruptError, match="withheld 'no emotion'"):
        run_counts(path.parent, sample, "no emotion")


def test_a_label_can_only_be_withheld_from_a_system_that_learns_an_embedding(sample: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must learn and have embeddings"):
        run(sample, tmp_path, Untrained, withheld="anger")
    with pytest.raises(UnknownNameError, match="withheld label"):
        run(sample, tmp_path, withheld="bliss")


def test_the_command_checks_the_label_before_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from erc_bench.cli import main

    command = ["run", "--system", "raw-encoder", "--dataset", "sample", "--results-dir", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main([*command, "--withhold", "hapiness"])
    assert ended.value.code == UnknownNameError.exit_code
    assert "Did you mean 'happiness'?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
