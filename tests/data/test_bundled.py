from __future__ import annotations

import pytest

from erc_bench.contract.domain import SPLITS, Dialogue, Utterance
from erc_bench.data.bundled import bundled_file, parse_bundled, read_bundled
from erc_bench.errors import DataCorruptError

LINE = '{"id": "train-00000", "utterances": [{"speaker": "A", "text": "Hi .", "label": "happiness"}]}'


def test_a_line_is_a_dialogue() -> None:
    assert parse_bundled(f"{LINE}\n", "here") == (Dialogue("train-00000", (Utterance("Hi .", "A", "happiness"),)),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LINE[:-5], "line 2 of here must be a dialogue"),
        (LINE.replace("speaker", "who"), "line 2 of here must be a dialogue, got: KeyError"),
        (LINE.replace("happiness", "joy"), "a label in line 2 of here must be one of no emotion, .* got 'joy'"),
        ("[]", "line 2 of here must be a dialogue"),
    ],
)
def test_a_damaged_line_is_named(line: str, message: str) -> None:
    with pytest.raises(DataCorruptError, match=message):
        parse_bundled(f"{LINE}\n{line}\n", "here")


def test_every_split_is_in_the_package() -> None:
    for split in SPLITS:
        assert bundled_file(split).is_file()
        assert read_bundled(split)
