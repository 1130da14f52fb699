from __future__ import annotations

import io

import numpy as np
import pytest

from erc_bench.contract.domain import Dialogue, Utterance
from erc_bench.records import written
from erc_bench.records.written import Places, blocks, written_label

LINES = (
    b'{"dialogue":"a","turn":0,"label":"joy"}\n',
    b'{"dialogue":"b","turn":12,"label":null,"scores":[1,-0.5,2e-3]}\n',
    '{"dialogue":"é","turn":3,"label":"joy","scores":{"joy":1,"a, b":0.25}}\n'.encode(),
)


@pytest.mark.parametrize("size", [1, 45, 1 << 18])
def test_lines_are_told_apart_wherever_blocks_end(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "BLOCK_BYTES", size)
    found = list(blocks(io.BytesIO(b"".join(LINES))))
    assert b"".join(block for block, _ in found) == b"".join(LINES)
    parts = [row for _, lines in found if lines for row in zip(*lines, strict=True)]
    assert parts == [
        (b"a", b"0", written_label("joy"), b""),
        (b"b", b"12", written_label(None), b"[1,-0.5,2e-3]"),
        ("é".encode(), b"3", written_label("joy"), b'{"joy":1,"a, b":0.25}'),
    ]


@pytest.mark.parametrize(
    "other",
    [
        b'{"dialogue":"a","turn":0,"label":"joy","raw":"Joy!"}\n',
        b'{"dialogue": "a","turn":0,"label":"joy"}\n',
        b'{"dialogue":"a","turn":00,"label":"joy"}\n',
        b'{"dialogue":"a","turn":0,"label":"j\\u006fy"}\n',
        b'{"dialogue":"a","turn":0,"label":"joy","scores":[]}\n',
        b'{"dialogue":"a","turn":0,"label":"joy","scores":[01]}\n',
        b'{"dialogue":"a","turn":0,"label":"joy","scores":[NaN]}\n',
        b'{"dialogue":"a\xff","turn":0,"label":"joy"}\n',
        b'{"dialogue":"a","turn":0,"label":"joy"}',
        b"\n",
    ],
)
def test_from_a_line_in_another_form_on_there_are_no_lines(other: bytes) -> None:
    found = list(blocks(io.BytesIO(LINES[0] + other)))
    assert found[-1][1] is None
    assert b"".join(block for block, _ in found) == LINES[0] + other


def test_targets_that_are_no_test_utterances_have_no_place() -> None:
    turn = Utterance("Well.", "A", "joy")
    places = Places([Dialogue("a", (turn,)), Dialogue("none", ()), Dialogue("b", (turn,) * 13)])
    ((_, lines),) = blocks(io.BytesIO(b"".join([*LINES, LINES[0].replace(b":0", b":1")])))
    assert lines is not None
    np.testing.assert_array_equal(places.of(lines), [0, 13, -1, -1])
    targets = (("a", 0), ("b", 12), ("é", 3), ("a", 1), ("a", -1), ("none", 0))
    assert [places.of_target(*target) for target in targets] == [0, 13, -1, -1, -1, -1]
    assert places.utterances == 14
