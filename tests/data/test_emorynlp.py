from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erc_bench.contract.domain import SPLITS, Dataset, Utterance
from erc_bench.data.emorynlp import EMORYNLP, FILES, read_split
from erc_bench.data.load import inspect_dataset
from erc_bench.errors import DataCorruptError


def utterance(name: str, text: str, emotion: str, *speakers: str) -> dict[str, Any]:
    return {"utterance_id": name, "speakers": [*speakers], "transcript": text, "tokens": [["x"]], "emotion": emotion}


CONTENT: dict[str, Any] = {
    "season_id": "trn",
    "episodes": [
        {
            "episode_id": "e1",
            "scenes": [
                {
                    "scene_id": "e1_c1",
                    "utterances": [
                        utterance("u1", "The boat is leaking.", "Scared", "Ana", "Bo"),
                        utterance("u4", "It always does.", "Peaceful", "Cy"),
                    ],
                },
                {"scene_id": "e1_c2", "utterances": [utterance("u5", "Not again!", "Mad", "Bo")]},
            ],
        }
    ],
}


def write(folder: Path, content: Any = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES.values():
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        (folder / file).write_text(text)
    return folder


def test_scenes_are_dialogues_and_the_first_speaker_counts(tmp_path: Path) -> None:
    reading = read_split(write(tmp_path), "train")
    assert reading.problems == ()
    assert [(d.id, len(d)) for d in reading.dialogues] == [("train-00000", 2), ("train-00001", 1)]
    assert reading.dialogues[0].utterances[0] == Utterance("The boat is leaking.", "Ana", "Scared")


@pytest.mark.parametrize("below", [".", "json", "emorynlp"])
def test_the_folder_is_found_as_the_repository_has_it(below: str, tmp_path: Path) -> None:
    folder = write(tmp_path / below)
    assert inspect_dataset(EMORYNLP, data_dir=tmp_path).place.folder == folder


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda u: u.update(emotion="Bored"), "line 25 of .*: the label must be one of Neutral, .* got 'Bored'"),
        (lambda u: u.update(speakers=[]), r"line 25 of .*: the speakers must be a list of names, got \[\]"),
        (lambda u: u.update(speakers=[3]), "line 25 of .*: the first speaker must be a text"),
        (lambda u: u.update(transcript=" "), "line 25 of .*: the transcript must be a text that is not empty"),
        (
            lambda u: u.clear(),
            "utterance 2 of the scene in line 8 of .*: the speakers must be a list of names, got None",
        ),
    ],
)
def test_a_malformed_utterance_is_named_and_left_out(
    edit: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    content = copy.deepcopy(CONTENT)
    edit(content["episodes"][0]["scenes"][0]["utterances"][1])
    reading = read_split(write(tmp_path, content), "train")
    assert [len(d) for d in reading.dialogues] == [1, 1]
    (problem,) = reading.problems
    assert re.search(message, problem), problem


def test_an_utterance_that_is_no_object_is_named_by_the_line_or_place_of_its_scene(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    first, second = content["episodes"][0]["scenes"]
    first["utterances"][1] = 7
    second["utterances"].append("u6")
    del second["scene_id"]
    assert [
        problem.split(f" of {tmp_path}")[0] for problem in read_split(write(tmp_path, content), "train").problems
    ] == [
        "utterance 2 of the scene in line 8",
        "utterance 2 of scene 2",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"episodes": [}', "line 1 of .*trn.json must be JSON"),
        ('{\n"episodes": [\n', "line 3 of .*trn.json must be JSON"),
        ("<!doctype html>", "must be JSON, got: a web page"),
        ("[" * 100_000, "must be JSON that can be read, got: maximum recursion depth"),
        ("9" * 5_000, "must be JSON that can be read, got: Exceeds the limit"),
        ([], "must hold a list of episodes, got"),
        ({"episodes": [{"scenes": [7]}]}, "scene 1 of .*trn.json must hold a list of utterances, got 7"),
        (
            '{"episodes": [{"scenes": [\n{"scene_id": "a"}]}]}',
            "the scene in line 2 of .* must hold a list of utterances",
        ),
    ],
)
def test_other_files_are_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataCorruptError, match=message):
        read_split(write(tmp_path, content), "train")


@pytest.mark.data
def test_the_real_files_have_the_official_content(emorynlp: Dataset, emorynlp_dir: Path) -> None:
    inspection = inspect_dataset(EMORYNLP, data_dir=emorynlp_dir)
    assert inspection.spec.facts is not None
    # the official file of the training split was not to be had: only its content is known
    assert inspection.spec.facts.splits["train"].file_sha256 is None
    for split in SPLITS[1:]:
        assert inspection.files[split] == inspection.spec.facts.splits[split].file_sha256
    sizes = {split: (len(emorynlp.split(split)), sum(map(len, emorynlp.split(split)))) for split in SPLITS}
    assert sizes == {"train": (713, 9_934), "validation": (99, 1_344), "test": (85, 1_328)}
    counts = {
        name: [sum(u.label == name for d in emorynlp.split(split) for u in d.utterances) for split in SPLITS]
        for name in emorynlp.labels.names
    }
    assert counts == {
        "Neutral": [3034, 393, 349],
        "Joyful": [2184, 289, 282],
        "Peaceful": [900, 132, 159],
        "Powerful": [784, 134, 145],
        "Scared": [1285, 178, 182],
        "Mad": [1076, 143, 113],
        "Sad": [671, 75, 98],
    }
    assert max(len({u.speaker for u in d.utterances}) for d in emorynlp.train) == 9
