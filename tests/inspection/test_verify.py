from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from erc_bench.board.build import FORMATS, build_boards, stem_of, write_boards
from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataCorruptError
from erc_bench.files import file_sha256
from erc_bench.inspection.verify import verify_boards, verify_run
from erc_bench.protocols.few_shot.evidence import FEW_SHOT_FILE
from erc_bench.protocols.triplet.evidence import TRIPLETS_FILE, write_evidence
from erc_bench.records.predictions import PREDICTIONS_FILE
from erc_bench.records.record import EMBEDDINGS_FILE, Run, write_record

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def differences(run: Run, dataset: Dataset) -> list[str]:
    return [difference.what for difference in verify_run(run, dataset)]


def rewritten(run: Run, old: bytes, new: bytes, *, rehash: bool) -> None:
    path = run.folder / PREDICTIONS_FILE
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    if rehash:
        run.record.predictions_sha256 = file_sha256(path)


def test_sound_runs_have_no_differences(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    assert differences(write_run(tmp_path, mini, gold(mini)), mini) == []
    last = write_run(tmp_path, mini, [None] * len(mini.test), targets="last", config_hash="ffffffffffff")
    assert differences(last, mini) == []


def test_altered_predictions_differ(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    rewritten(run, b'"label":"no emotion"', b'"label":"happiness"', rehash=False)
    found = differences(run, mini)
    assert found[0].startswith("the SHA-256 of the predictions is recorded as ")
    assert any(what.startswith("micro_f1 is recorded as 100.0, recomputed") for what in found)


def test_altered_scores_differ(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    run.record.scores |= {"mcc": 0.5, "flattery": 100.0}
    del run.record.scores["accuracy"]
    assert differences(run, mini) == [
        "mcc is recorded as 0.5, recomputed 1.0",
        "recorded scores must be among micro_f1, macro_f1, mcc, macro_f1_all, weighted_f1_all, accuracy, unusable_rate, "
        "got flattery: a version of erc-bench or a package that knows them is needed to check them",
    ]


def test_a_record_without_scores_differs(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    run.record.scores.clear()
    assert differences(run, mini) == ["scores must be recorded, got none"]


def test_rounding_is_no_difference(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    run.record.scores["mcc"] -= 1e-6
    assert differences(run, mini) == []


def test_other_data_differ(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini), dataset_fingerprint="0" * 64)
    assert differences(run, mini) == [
        f"the dataset fingerprint must be {mini.fingerprint[:12]}…, got 000000000000…: made on other data"
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"label":"no emotion"', b'"label":"joy"', "a prediction must be one of"),
        (b'"turn":1', b'"turn":99', "predictions must cover all 96 targets"),
        (b'"turn":1', b'"turn":0', "every target must stand once"),
        (b"{", b"", "must be a JSON object"),
    ],
)
def test_predictions_that_cannot_be_scored_differ(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun, old: bytes, new: bytes, problem: str
) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    rewritten(run, old, new, rehash=True)
    (found,) = differences(run, mini)
    assert problem in found


def test_surplus_predictions_differ(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    with (run.folder / PREDICTIONS_FILE).open("ab") as file:
        file.write(b'{"dialogue":"test-99999","turn":0,"label":"anger"}\n')
    run.record.predictions_sha256 = file_sha256(run.folder / PREDICTIONS_FILE)
    assert differences(run, mini) == [
        "predictions must be for the 96 targets of the run, got 1 others",
        "the number of predictions is recorded as 96, recomputed 97",
    ]


def test_missing_predictions_differ(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    (run.folder / PREDICTIONS_FILE).unlink()
    (found,) = differences(run, mini)
    assert "must hold predictions.jsonl or predictions.jsonl.gz, got none" in found


def test_moved_runs_differ(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    moved = Run(run.folder.rename(run.folder.with_name("seed-1")), run.record)
    assert differences(moved, mini) == [
        "the folder must be …/mini/echo/0123456789ab/seed-0 as its run.json says, got another"
    ]


@pytest.fixture
def embedded(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> Run:
    """A run of a system that embeds, with the triplet outcomes derived from its embeddings."""
    run = write_run(tmp_path, mini, gold(mini))
    write_embeddings(run, mini, seed=0)
    write_evidence(run.folder, mini)
    return run


def write_embeddings(run: Run, dataset: Dataset, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(96, 4)).astype(np.float32)
    np.savez(run.folder / EMBEDDINGS_FILE, embeddings=vectors, lengths=np.array([len(d) for d in dataset.test]))


def test_triplet_outcomes_are_recomputed_from_embeddings(embedded: Run, mini: Dataset) -> None:
    assert differences(embedded, mini) == []
    path = embedded.folder / TRIPLETS_FILE
    content = json.loads(path.read_text())
    cell = np.argwhere(np.array(content["correct"]))[0]
    resampling, anchor, negative = (int(position) for position in cell)
    content["correct"][resampling][anchor][negative] -= 1
    content["wrong"][resampling][anchor][negative] += 1
    path.write_text(json.dumps(content))
    assert differences(embedded, mini) == [
        "the counts correct of triplets.json do not follow from embeddings.npz",
        "the counts wrong of triplets.json do not follow from embeddings.npz",
    ]


def test_triplet_outcomes_stand_alone_without_embeddings(embedded: Run, mini: Dataset) -> None:
    (embedded.folder / EMBEDDINGS_FILE).unlink()
    assert differences(embedded, mini) == []
    (embedded.folder / TRIPLETS_FILE).write_text("{}")
    (found,) = differences(embedded, mini)
    assert "triplets.json must hold the outcomes of triplets" in found


def test_other_embeddings_differ(embedded: Run, mini: Dataset) -> None:
    write_embeddings(embedded, mini, seed=1)
    (found,) = differences(embedded, mini)
    assert "got those of another embeddings.npz" in found


def test_embeddings_alone_are_read(embedded: Run, mini: Dataset) -> None:
    (embedded.folder / TRIPLETS_FILE).unlink()
    assert differences(embedded, mini) == []
    path = embedded.folder / EMBEDDINGS_FILE
    path.write_bytes(path.read_bytes()[:-100])
    (found,) = differences(embedded, mini)
    assert "embeddings.npz must hold embeddings, got File is not a zip file" in found


def test_few_shot_outcomes_are_checked(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini), withheld="fear")
    (run.folder / FEW_SHOT_FILE).write_text("{}")
    (found,) = differences(run, mini)
    assert "few_shot.json must hold the counts of few-shot episodes" in found
    (run.folder / FEW_SHOT_FILE).unlink()
    (found,) = differences(run, mini)
    assert "must hold few_shot.json, got none" in found


@pytest.fixture
def results(tmp_path: Path, sample: Dataset, gold: Gold, write_run: WriteRun) -> Path:
    write_run(tmp_path, sample, gold(sample))
    return tmp_path


@pytest.mark.parametrize(
    ("dataset", "protocol"),
    [(None, None), ("sample", None), (None, "last-turn"), ("dailydialog", None), ("dailydialog", "triplet")],
)
def test_boards_of_any_choice_verify(results: Path, dataset: str | None, protocol: str | None) -> None:
    write_boards(build_boards(results, dataset=dataset, protocol=protocol).boards, results, tuple(FORMATS))
    assert verify_boards(results, [results, results]) == (5, [])


def test_altered_boards_differ(results: Path) -> None:
    paths = write_boards(build_boards(results).boards, results / "boards", ("md", "csv", "html", "latex"))
    for path in paths:
        path.write_text(path.read_text().replace("100.00", "100.01", 1).replace(",100.0,", ",100.1,", 1))
    count, found = verify_boards(results, [results, results / "boards"])
    assert count == 4
    assert [difference.where for difference in found] == paths
    assert "100.01" in found[0].what
    assert "100.00" in found[0].what
    assert found[1].what.startswith("differs from the board of these runs, first on line 2: recorded '")


def test_old_boards_differ_once_there_are_more_runs(
    results: Path, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_boards(build_boards(results).boards, results, ("csv",))
    write_run(results, sample, [None, *gold(sample)[1:]], system="newer")
    ((difference,),) = [verify_boards(results, [results])[1]]
    assert "recomputed '" in difference.what


def test_boards_with_contrasts_of_ones_own_verify_with_their_file(
    results: Path, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(results, sample, ["anger"] * len(gold(sample)), system="angry")
    asked = results / "asked.toml"
    asked.write_text('[[contrasts]]\nquestion = "Better?"\ndataset = "sample"\na = "echo"\nb = "angry"\n')
    found = build_boards(results, contrasts=asked, rank_by="accuracy").boards
    assert [each.metric.name for each in found[0].contrasts] == ["micro_f1"]
    boards = build_boards(results, contrasts=asked).boards
    paths = write_boards(boards, results, ("md", "csv", "contrasts"))
    assert [path.name for path in paths] == ["leaderboard.md", "leaderboard.csv", "leaderboard.contrasts.csv"]
    assert verify_boards(results, [results], contrasts=asked) == (3, [])
    count, differences = verify_boards(results, [results])
    assert (count, [each.where.name for each in differences]) == (3, ["leaderboard.md", "leaderboard.contrasts.csv"])
    part = write_boards(boards, results, ("csv", "contrasts"), stem_of("sample"))
    assert [path.name for path in part] == ["leaderboard-sample.csv", "leaderboard-sample.contrasts.csv"]
    assert verify_boards(results, [results], contrasts=asked) == (5, [])


def test_a_cut_board_differs(results: Path) -> None:
    (path,) = write_boards(build_boards(results).boards, results, ("md",))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert len(verify_boards(results, [results])[1]) == 1
    path.write_bytes(b"")
    assert len(verify_boards(results, [results])[1]) == 1


def test_no_boards_need_no_work(tmp_path: Path) -> None:
    assert verify_boards(tmp_path / "nothing", [tmp_path]) == (0, [])


def test_boards_of_altered_runs_cannot_be_recomputed(
    results: Path, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_boards(build_boards(results).boards, results, ("md",))
    run = write_run(results, sample, gold(sample), system="bad")
    write_record(run.folder, run.record.model_copy(update={"predictions_sha256": "0" * 64}))
    with pytest.raises(DataCorruptError, match="it was altered"):
        verify_boards(results, [results])
