from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.contract.domain import SPLITS, Dataset, Utterance
from erc_bench.data.load import inspect_dataset
from erc_bench.data.meld import FILES, MELD, read_split
from erc_bench.errors import DataCorruptError

HEAD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
ROWS = (
    '1,"Well, that\u2019s new.",Ana,surprise,positive,0,0,1,1,"0:0:1,0","0:0:2,0"\n'
    '2,Is it?,Bo,neutral,neutral,0,3,1,1,"0:0:2,0","0:0:3,0"\n'
    '3,Ugh.,Cy,disgust,negative,2,0,1,1,"0:0:2,0","0:0:3,0"\n'
)


def write(folder: Path, rows: str = ROWS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES.values():
        (folder / file).write_text(HEAD + rows, "utf-8")
    return folder


def test_turns_are_positions_and_ids_count_dialogues(tmp_path: Path) -> None:
    reading = read_split(write(tmp_path), "validation")
    assert reading.problems == ()
    assert [(d.id, len(d)) for d in reading.dialogues] == [("validation-00000", 2), ("validation-00001", 1)]
    assert reading.dialogues[0].utterances[0] == Utterance("Well, that\u2019s new.", "Ana", "surprise")


@pytest.mark.parametrize("below", [".", "MELD", "data/MELD", "meld"])
def test_the_folder_is_found_as_the_repository_has_it(below: str, tmp_path: Path) -> None:
    folder = write(tmp_path / below)
    assert inspect_dataset(MELD, data_dir=tmp_path).place.folder == folder


def test_a_wrong_label_is_named_with_its_line(tmp_path: Path) -> None:
    problems = inspect_dataset(
        MELD, data_dir=write(tmp_path, ROWS.replace("neutral,neutral", "bored,neutral"))
    ).problems
    assert f"line 3 of {tmp_path / 'train_sent_emo.csv'}: the label must be one of neutral, joy, " in problems[0]
    assert len(problems) == 3


def test_other_content_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataCorruptError, match="must have 1,038 dialogues, got 2"):
        raise inspect_dataset(MELD, data_dir=write(tmp_path)).refusal()


@pytest.mark.data
def test_the_real_files_are_the_official_ones(meld: Dataset, meld_dir: Path) -> None:
    inspection = inspect_dataset(MELD, data_dir=meld_dir)
    assert inspection.spec.facts is not None
    assert inspection.files == {split: inspection.spec.facts.splits[split].file_sha256 for split in SPLITS}
    sizes = {split: (len(meld.split(split)), sum(map(len, meld.split(split)))) for split in SPLITS}
    assert sizes == {"train": (1_038, 9_989), "validation": (114, 1_109), "test": (280, 2_610)}
    counts = {
        split: [sum(u.label == name for d in meld.split(split) for u in d.utterances) for name in meld.labels.names]
        for split in SPLITS
    }
    assert counts == {
        "train": [4710, 1743, 1205, 1109, 683, 271, 268],
        "validation": [470, 163, 150, 153, 111, 22, 40],
        "test": [1256, 402, 281, 345, 208, 68, 50],
    }
    dialogues = [dialogue for split in SPLITS for dialogue in meld.split(split)]
    assert max(map(len, dialogues)) == 33
    assert max(len({u.speaker for u in d.utterances}) for d in dialogues) == 9


@pytest.mark.data
def test_a_copy_with_windows_characters_has_the_same_content(meld: Dataset, meld_dir: Path, tmp_path: Path) -> None:
    for file in FILES.values():
        (tmp_path / file).write_bytes((meld_dir / file).read_text("utf-8").encode("cp1252"))
    assert inspect_dataset(MELD, data_dir=tmp_path).dataset == meld
