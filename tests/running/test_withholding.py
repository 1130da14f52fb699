from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.data.dailydialog import DAILYDIALOG
from erc_bench.errors import DataCorruptError, DataMissingError, UnknownNameError, UsageError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.protocols.few_shot.evidence import FEW_SHOT_FILE, run_counts
from erc_bench.records.record import EMBEDDINGS_FILE
from erc_bench.running.runner import RunOutcome, RunRequest, execute
from erc_bench.running.withholding import check_label, withhold


def test_withholding_removes_labels_and_nothing_else(sample: Dataset) -> None:
    before = [u for d in sample.train for u in d.utterances]
    after = [u for d in withhold(sample.train, "anger") for u in d.utterances]
    assert [u.text for u in before] == [u.text for u in after]
    assert all(
        b.label == a.label or (b.label == "anger" and a.label is None) for b, a in zip(before, after, strict=True)
    )
    assert not any(u.label == "anger" for u in after)


def test_only_emotions_can_be_withheld() -> None:
    assert check_label("fear", DAILYDIALOG.labels) == "fear"
    for wrong in ("no emotion", "joyful"):
        with pytest.raises(UnknownNameError, match="withheld label"):
            check_label(wrong, DAILYDIALOG.labels)


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
