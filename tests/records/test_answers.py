from __future__ import annotations

import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance, targets_of
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, DataError
from erc_bench.records import written
from erc_bench.records.answers import NONE, AnswerReader
from erc_bench.records.predictions import PREDICTIONS_FILE, packed, predictions_bytes, published_bytes, read_predictions

if TYPE_CHECKING:
    from tests.conftest import WriteRun

LABELS = LabelSet(("none", "joy"), neutral="none")
Gold = Callable[[Dataset], list[str]]


def small(dialogues: int = 3, turns: int = 2) -> Dataset:
    """Dialogues of neutral utterances, the first of which has none."""
    test = (
        Dialogue(f"test-{n:05d}", tuple(Utterance("Well.", "A", "none") for _ in range(turns if n else 0)))
        for n in range(dialogues)
    )
    return Dataset("small", LABELS, (), (), tuple(test))


def read(tmp_path: Path, data: bytes, dataset: Dataset | None = None, name: str = PREDICTIONS_FILE) -> list[int]:
    (tmp_path / name).write_bytes(data)
    sha256, codes, _ = AnswerReader(dataset or small(), tmp_path / "cache").of_file(tmp_path / name)
    lines = gzip.decompress(data) if name.endswith(".gz") else data
    assert sha256 == hashlib.sha256(lines).hexdigest()
    return [int(code) for code in codes]


def line(dialogue: str, turn: int, label: str | None, **more: object) -> bytes:
    fields = {"dialogue": dialogue, "turn": turn, "label": label, **more}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def test_answers_are_positions_of_labels_in_dataset_order(tmp_path: Path) -> None:
    data = line("test-00002", 1, "joy") + line("test-00001", 0, None) + line("test-00001", 1, "none")
    assert read(tmp_path, data) == [2, 0, NONE, 1]


@pytest.mark.parametrize(
    "more",
    [
        {"scores": {"none": 0.25, "joy": 0.75}},
        {"raw": 'He says: "joy",\n{"label":"none"}'},
        {"scores": {"none": 1e-7, "joy": 1}, "raw": "…", "usage": {"tokens": 3}},
    ],
)
def test_what_stands_beside_a_label_changes_nothing(tmp_path: Path, more: dict[str, object]) -> None:
    assert read(tmp_path, line("test-00001", 1, "joy", **more)) == [NONE, 1, NONE, NONE]


def test_published_files_are_read_alike(tmp_path: Path) -> None:
    given = [Prediction("test-00002", turn, "joy", {"none": 0.125, "joy": 0.875}) for turn in (0, 1)]
    lines = published_bytes(given, scores=True)
    assert b"[0.125,0.875]" in lines
    assert read(tmp_path, packed(lines), name=f"{PREDICTIONS_FILE}.gz") == [NONE, NONE, 1, 1]


def test_other_ways_to_write_json_are_read_alike(tmp_path: Path) -> None:
    data = b'{"turn": 0, "label": "j\\u006fy", "dialogue": "test-00001"}\n' + line("test-00001", 1, "joy").rstrip()
    assert read(tmp_path, data) == [1, 1, NONE, NONE]


def test_answers_to_other_targets_are_left_out(tmp_path: Path) -> None:
    data = line("test-00001", 2, "joy") + line("test-00000", 0, "joy") + line("elsewhere", 0, "grief")
    assert read(tmp_path, data) == [NONE] * 4


def test_blocks_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = small(40, 3)
    targets = targets_of(dataset.test)
    labels = [(None, "joy", "none")[i % 3] for i in range(len(targets))]
    data = predictions_bytes(Prediction(*target, label) for target, label in zip(targets, labels, strict=True))
    expected = read(tmp_path, data, dataset)
    assert expected == [{None: 2, "joy": 1, "none": 0}[label] for label in labels]
    for size in (1, 17, 61):
        monkeypatch.setattr(written, "BLOCK_BYTES", size)
        (tmp_path / "other").mkdir(exist_ok=True)
        found = AnswerReader(dataset, tmp_path / str(size)).of_file(tmp_path / PREDICTIONS_FILE).codes
        assert found.tolist() == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (line("test-00001", 0, "joy") * 2, "every target must stand once"),
        (line("test-00001", 0, "Joy"), "a prediction must be one of 'none', 'joy', got 'Joy'"),
        (b"x" + line("test-00001", 0, "joy"), "must be a JSON object"),
        (line("test-00001", 0, "joy")[:-3], "must be a JSON object"),
        (line("test-00001", 0, "joy").replace(b"joy", b"\xff"), "must be a JSON object"),
        (line("test-00001", 0, "joy", scores={"joy": float("inf")}), "scores must be"),
        (line("test-00001", 0, "joy").replace(b":0,", b":00,"), "must be a JSON object"),
    ],
)
def test_what_is_no_prediction_is_named(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read(tmp_path, data)


def test_a_run_is_read_as_its_predictions_say(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, [None if i % 7 == 0 else label for i, label in enumerate(gold(mini))])
    codes = AnswerReader(mini, tmp_path / "cache").of_run(run).codes
    known: dict[str | None, int] = {name: code for code, name in enumerate(mini.labels.names)} | {None: 7}
    found = read_predictions(run.folder)
    assert codes.tolist() == [known[found[target].label] for target in targets_of(mini.test)]


def test_a_file_is_read_once_and_again_when_a_byte_of_it_changes(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    first = AnswerReader(mini, tmp_path / "cache").of_run(run).codes
    with monkeypatch.context() as context:
        context.setattr(AnswerReader, "_read", None)
        np.testing.assert_array_equal(AnswerReader(mini, tmp_path / "cache").of_run(run).codes, first)
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b"no emotion", b"happiness", 1))
    with pytest.raises(DataCorruptError, match="it was altered"):
        AnswerReader(mini, tmp_path / "cache").of_run(run)


def test_a_damaged_or_missing_cache_is_no_harm(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    expected = AnswerReader(mini, tmp_path / "cache").of_run(run).codes
    (kept,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    whole = kept.read_bytes()
    for damaged in (b"", whole[:-1], whole[:40] + b"\x01" + whole[41:]):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(AnswerReader(mini, tmp_path / "cache").of_run(run).codes, expected)
        assert kept.read_bytes() == whole
    (tmp_path / "a file").write_text("no folder")
    np.testing.assert_array_equal(AnswerReader(mini, tmp_path / "a file").of_run(run).codes, expected)


def test_a_run_on_other_data_is_refused(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini), dataset_fingerprint="0" * 64)
    with pytest.raises(DataCorruptError, match="must have been made on mini with fingerprint"):
        AnswerReader(mini, tmp_path / "cache").of_run(run)


@pytest.mark.parametrize("more", [{}, {"raw": 'An answer with "quotes", which is read the long way.'}])
def test_memory_does_not_grow_with_the_predictions(tmp_path: Path, more: dict[str, object]) -> None:
    peaks = []
    for dialogues in (2_001, 10_001):
        dataset = small(dialogues, 10)
        path = tmp_path / f"{dialogues}.jsonl"
        with path.open("wb") as file:
            for target in targets_of(dataset.test):
                file.write(
                    line(target.dialogue, target.turn, "joy", scores={"none": 0.1234567, "joy": 0.8765433}, **more)
                )
        reader = AnswerReader(dataset, tmp_path / "cache")
        tracemalloc.start()
        assert (reader.of_file(path).codes == 1).all()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Five times the predictions: their codes and confidences, held four times over at six bytes each, and nothing else.
    assert peaks[1] - peaks[0] < 80_000 * 30
    assert path.stat().st_size > 6 * 2**20 > peaks[1] - peaks[0]
