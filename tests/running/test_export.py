from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from erc_bench.board.build import measured_board, rendered
from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError, UsageError
from erc_bench.files import file_sha256
from erc_bench.inspection.verify import verify_run
from erc_bench.protocols.triplet.evidence import write_evidence
from erc_bench.records.groups import group_runs
from erc_bench.records.predictions import PACKED_FILE, PREDICTIONS_FILE, predictions_bytes, read_predictions
from erc_bench.records.record import EMBEDDINGS_FILE, Run, find_runs, read_record, write_record
from erc_bench.running.export import export_run, without_paths

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


@pytest.fixture
def run(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> Run:
    """A run with all that must not be published."""
    found = write_run(
        tmp_path / "results",
        mini,
        gold(mini),
        config={"vectors": "/home/someone/cc.en.300.vec", "dim": 300},
        settings={"vectors": "/home/someone/cc.en.300.vec"},
        command="erc-bench run --system echo --seed 0 --set vectors=/home/someone/cc.en.300.vec",
        notes=["read from /home/someone/cc.en.300.vec, see https://example.org/a/b"],
    )
    answers = [
        Prediction(p.dialogue, p.turn, p.label, {"anger": 0.245678}, "raw words of a model", {"tokens": 3})
        for p in read_predictions(found.folder).values()
    ]
    (found.folder / PREDICTIONS_FILE).write_bytes(predictions_bytes(answers))
    found.record.predictions_sha256 = file_sha256(found.folder / PREDICTIONS_FILE)
    write_record(found.folder, found.record)
    (found.folder / "model").mkdir()
    (found.folder / "model" / "weights.safetensors").write_bytes(b"weights")
    lengths = [len(dialogue) for dialogue in mini.test]
    vectors = np.random.default_rng(0).normal(size=(sum(lengths), 4)).astype(np.float32)
    np.savez(found.folder / EMBEDDINGS_FILE, embeddings=vectors, lengths=np.array(lengths))
    write_evidence(found.folder, mini)
    return found


def test_labels_and_scores_are_copied(run: Run, tmp_path: Path) -> None:
    copy = export_run(run, tmp_path / "public")
    assert copy.folder == tmp_path / "public" / run.folder.relative_to(tmp_path / "results")
    assert sorted(path.name for path in copy.folder.iterdir()) == ["predictions.jsonl.gz", "run.json", "triplets.json"]
    lines = [json.loads(line) for line in gzip.decompress((copy.folder / PACKED_FILE).read_bytes()).splitlines()]
    assert all(set(line) == {"dialogue", "turn", "label", "scores"} for line in lines)
    for before, after in zip(
        read_predictions(run.folder).values(), read_predictions(copy.folder).values(), strict=True
    ):
        assert after == Prediction(before.dialogue, before.turn, before.label, {"anger": 0.246})


def test_scores_can_be_left_out(run: Run, tmp_path: Path) -> None:
    copy = export_run(run, tmp_path / "public", scores=False)
    assert all(prediction.scores is None for prediction in read_predictions(copy.folder).values())


def test_what_a_killed_export_left_is_removed(run: Run, tmp_path: Path) -> None:
    copy = export_run(run, tmp_path / "public")
    before = sorted(path.name for path in copy.folder.iterdir())
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    (copy.folder / f".predictions.jsonl.{killed.pid}.tmp").write_bytes(b"half")
    export_run(run, tmp_path / "public")
    assert sorted(path.name for path in copy.folder.iterdir()) == before


def test_a_copy_of_an_earlier_version_is_replaced(run: Run, mini: Dataset, tmp_path: Path) -> None:
    copy = export_run(run, tmp_path / "public")
    (copy.folder / PREDICTIONS_FILE).write_bytes(b"of an earlier version")
    assert verify_run(export_run(run, tmp_path / "public"), mini) == []


def test_paths_of_the_machine_are_reduced_to_a_name(run: Run, tmp_path: Path) -> None:
    copy = export_run(run, tmp_path / "public")
    record = read_record(copy.folder)
    assert "someone" not in (copy.folder / "run.json").read_text()
    assert record.config == {"vectors": "cc.en.300.vec", "dim": 300}
    assert record.title == "echo (vectors=cc.en.300.vec)"
    assert record.command == "erc-bench run --system echo --seed 0 --set vectors=cc.en.300.vec"
    assert record.notes == ["read from cc.en.300.vec, see https://example.org/a/b"]


def test_a_copy_stands_up_to_verification(run: Run, mini: Dataset, tmp_path: Path) -> None:
    copy = export_run(run, tmp_path / "public")
    assert copy.record.predictions_sha256 != run.record.predictions_sha256
    assert verify_run(copy, mini) == []


def test_boards_of_copies_are_the_same(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    for seed in (0, 1):
        export_run(write_run(tmp_path / "results", mini, gold(mini), seed=seed), tmp_path / "public")

    def board(results: Path) -> bytes:
        return rendered([measured_board(mini, group_runs(find_runs(results)))], "csv")

    assert board(tmp_path / "public") == board(tmp_path / "results")


def test_exporting_again_gives_the_same_files(run: Run, tmp_path: Path) -> None:
    first = export_run(run, tmp_path / "public")
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    again = export_run(Run(first.folder, read_record(first.folder)), tmp_path / "elsewhere")
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == before
    export_run(run, tmp_path / "public")
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before


def test_a_run_is_never_replaced_by_its_copy(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--to must be another folder"):
        export_run(run, tmp_path / "results")
    assert "raw words" in (run.folder / PREDICTIONS_FILE).read_text()


def test_incomplete_and_altered_runs_are_refused(run: Run, tmp_path: Path) -> None:
    running = Run(run.folder, run.record.model_copy(update={"status": "running"}))
    with pytest.raises(UsageError, match="must be complete to be exported, got status 'running'"):
        export_run(running, tmp_path / "public")
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b'"no emotion"', b'"anger"', 1))
    with pytest.raises(DataCorruptError, match="it was altered"):
        export_run(run, tmp_path / "public")
    assert not (tmp_path / "public").exists()


@pytest.mark.parametrize(
    ("value", "reduced"),
    [
        ("/srv/models/mini lm", "mini lm"),
        ("C:\\models\\mini", "mini"),
        ("relative/model", "relative/model"),
        ("sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("http://localhost:8000/v1/chat", "http://localhost:8000/v1/chat"),
        ("loaded '/srv/models/mini/' and ~/x/y.bin, 3 s", "loaded 'mini' and y.bin, 3 s"),
        ("--set a=/b/c.vec --set d=e", "--set a=c.vec --set d=e"),
        ("file:///srv/models/x.vec", "x.vec"),
        ("seconds/utterance and/or 1/2", "seconds/utterance and/or 1/2"),
        ({"a": ["/x/y", 1, None]}, {"a": ["y", 1, None]}),
    ],
)
def test_absolute_paths_are_found(value: Any, reduced: Any) -> None:
    assert without_paths(value) == reduced
