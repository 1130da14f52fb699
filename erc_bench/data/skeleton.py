"""The example of a corpus of one's own that `erc-bench data new` writes: it works as it stands."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

from erc_bench.contract.domain import SPLITS, Split
from erc_bench.data.folder import DATASET_FILE, name_problem
from erc_bench.errors import UsageError

_DATASET = Template("""\
# What erc-bench must know of a corpus. Try it: erc-bench data check $name
name = "$name"
title = "three invented scenes a split: replace them by your own"
labels = ["calm", "joy", "anger"]
# The label that means "no emotion"; leave the line out where none does, and all labels count as emotions.
neutral = "calm"
# The metric that the board is ranked by: micro_f1 and macro_f1 leave the neutral label out, weighted_f1_all does not.
ranking_metric = "weighted_f1_all"
licence = "CC0 1.0"
reference = "-"
link = "-"

# Words that other corpora have for these labels, so that systems can be trained here and tested there, or the reverse.
# `erc-bench data labels` lists them; a label that no word fits is left out.
[common_labels]
calm = "neutral"
joy = "joy"
anger = "anger"

# The splits are train.jsonl, validation.jsonl and test.jsonl, a dialogue a line; or train.csv, validation.csv and
# test.csv, an utterance a row. Other files, and the columns of CSV files, are named here:
# [files]
# train = "my-train.csv"
# validation = "my-dev.csv"
# test = "my-test.csv"
# [columns]
# dialogue = "Dialogue_ID"
# speaker = "Speaker"
# text = "Utterance"
# label = "Emotion"
""")

_SCENES: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (
        ("Ana", "Where did you put the $thing?", "calm"),
        ("Bo", "On the shelf, where it belongs.", "calm"),
        ("Ana", "It is not there, and you know it!", "anger"),
    ),
    (
        ("Cy", "Look, the $thing works again!", "joy"),
        ("Ana", "That is wonderful news.", "joy"),
        ("Bo", "I said so, did I not?", "calm"),
        ("Cy", "You did, you did.", "joy"),
    ),
    (
        ("Bo", "Who broke the $thing?", "anger"),
        ("Cy", "It was like that when I came.", "calm"),
    ),
)
_THINGS: dict[Split, str] = {"train": "radio", "validation": "lamp", "test": "ladder"}


def write_skeleton(folder: Path) -> list[Path]:
    """Write `dataset.toml` and three files into a new folder, whose name is the dataset's, and return their paths.

    Raises
    ------
    UsageError
        The folder is there already, or cannot be written, or no dataset can have its name.
    """
    if unfit := name_problem(folder.name):
        raise UsageError(f"{unfit}: the dataset is named as its folder. Name another one.")
    contents = {DATASET_FILE: _DATASET.substitute(name=folder.name)}
    for split in SPLITS:
        lines = [
            {
                "id": f"{split}-{number}",
                "utterances": [
                    {"speaker": speaker, "text": Template(text).substitute(thing=_THINGS[split]), "label": label}
                    for speaker, text, label in scene
                ],
            }
            for number, scene in enumerate(_SCENES)
        ]
        contents[f"{split}.jsonl"] = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    try:
        folder.mkdir(parents=True)
        for name, content in contents.items():
            (folder / name).write_text(content, "utf-8")
    except FileExistsError:
        raise UsageError(f"{folder} must be a new folder, got one that is there. Name another one.") from None
    except OSError as error:
        raise UsageError(f"{folder} must be writable, got: {error.strerror}.") from None
    return [folder / name for name in contents]
