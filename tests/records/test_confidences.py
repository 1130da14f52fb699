from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.contract.system import Prediction
from erc_bench.errors import DataCorruptError
from erc_bench.records.answers import AnswerReader
from erc_bench.records.confidences import Confidences, confidences_of
from erc_bench.records.predictions import (
    PACKED_FILE,
    PREDICTIONS_FILE,
    iterate_predictions,
    packed,
    predictions_bytes,
    predictions_path,
    published_bytes,
)
from erc_bench.records.written import Places


def predictions(dataset: Dataset, *, total: float = 1.0) -> list[Prediction]:
    """Each answers its first label, ever less sure, and the third not at all."""
    names = dataset.labels.names
    found = []
    for place, target in enumerate(targets_of(dataset.test)):
        first = total * (0.9 - 0.01 * (place % 50))
        scores = {names[0]: first, names[1]: total - first} | dict.fromkeys(names[2:], 0.0)
        found.append(Prediction(*target, None if place == 2 else names[0], scores))
    return found


def read(dataset: Dataset, tmp_path: Path) -> Confidences | None:
    return AnswerReader(dataset, tmp_path / "cache").of_file(predictions_path(tmp_path)).confidences


def test_the_confidence_is_the_score_of_the_answer(sample: Dataset, tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS_FILE).write_bytes(predictions_bytes(predictions(sample)))
    for _ in range(2):  # read, then kept
        found = read(sample, tmp_path)
        assert found is not None
        assert found.probabilities
        assert found.values[:2] == pytest.approx([0.9, 0.89])
        assert np.isnan(found.values[2])
        assert len(found.values) == sum(map(len, sample.test))


def test_exports_keep_confidences(sample: Dataset, tmp_path: Path) -> None:
    (tmp_path / PACKED_FILE).write_bytes(packed(published_bytes(predictions(sample), scores=True)))
    found = read(sample, tmp_path)
    assert found is not None
    assert found.probabilities


def test_a_run_without_scores_has_no_confidences(sample: Dataset, tmp_path: Path) -> None:
    (tmp_path / PACKED_FILE).write_bytes(packed(published_bytes(predictions(sample), scores=False)))
    assert read(sample, tmp_path) is None
    every = predictions(sample)
    assert confidences_of([*every[:-1], Prediction(*every[-1].target, "anger")], Places(sample.test)) is None


def test_one_answer_without_a_score_is_kept_as_none(sample: Dataset, tmp_path: Path) -> None:
    every = predictions(sample)
    lines = predictions_bytes([*every[:-1], Prediction(*every[-1].target, "anger", {"fear": 1.0})])
    (tmp_path / PREDICTIONS_FILE).write_bytes(lines)
    assert [read(sample, tmp_path) for _ in range(2)] == [None, None]


def test_scores_that_do_not_add_up_are_no_probabilities(sample: Dataset, tmp_path: Path) -> None:
    found = confidences_of(predictions(sample, total=7.0), Places(sample.test))
    assert found is not None
    assert not found.probabilities


def test_a_changed_file_is_read_again(sample: Dataset, tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS_FILE).write_bytes(predictions_bytes(predictions(sample)))
    read(sample, tmp_path)
    (tmp_path / PREDICTIONS_FILE).write_bytes(predictions_bytes(predictions(sample, total=0.5)))
    found = read(sample, tmp_path)
    assert found is not None
    assert found.values[0] == pytest.approx(0.45)


def written(*, shuffled: bool = False, more: bytes = b"") -> list[bytes]:
    """Lines in which lists and objects of scores, other orders of names and answers without scores take turns."""
    lines = [
        b'{"dialogue":"test-00001","turn":0,"label":"happiness","scores":{"no emotion":0.25,"happiness":0.75}}\n',
        b'{"dialogue":"test-00001","turn":1,"label":"no emotion","scores":[0.5,0.5]}\n',
        b'{"dialogue":"test-00001","turn":2,"label":null}\n',
        b'{"dialogue":"elsewhere","turn":0,"label":"happiness","scores":{"happiness":1,"no emotion":1e-3}}\n',
        b'{"dialogue":"test-00001","turn":3,"label":"happiness","scores":[0.125,0.875]}\n',
        b'{"dialogue":"test-00002","turn":0,"label":"happiness","scores":{"happiness":0.5}}\n',
    ]
    return [*(lines[3:] + lines[:3] if shuffled else lines), *([more] if more else [])]


def check_both_ways(
    sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], size: int
) -> None:
    """Lines read in blocks of this size have the confidences of the same lines read the long way."""
    monkeypatch.setattr("erc_bench.records.written.BLOCK_BYTES", size)
    (path := tmp_path / PREDICTIONS_FILE).write_bytes(b"".join(lines))

    def long_way() -> Confidences | None:
        AnswerReader(sample, tmp_path / "cache").of_predictions(iterate_predictions(path))
        return confidences_of(iterate_predictions(path), Places(sample.test))

    try:
        expected = long_way()
    except DataCorruptError as error:
        with pytest.raises(DataCorruptError, match=re.escape(str(error))):
            read(sample, tmp_path)
        return
    found = read(sample, tmp_path)
    assert (found is None) is (expected is None)
    if found is not None and expected is not None:
        np.testing.assert_array_equal(found.values, expected.values)
        assert found.probabilities is expected.probabilities


@pytest.mark.parametrize("size", [1, 100, 1 << 18])
@pytest.mark.parametrize(
    "lines",
    [
        written()[:3],
        written()[:4],
        written()[:5],
        written(),
        written(shuffled=True),
        written()[:1] * 3,
        written()[1:3],
        written()[1::-1],
        [written()[0], written()[4], written()[2], written()[0]],
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"fear","scores":{"happiness":0.5}}\n'),
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"happiness","scores":{"happiness":-0.5}}\n'),
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"happiness"}\n'),
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"happiness","scores":[0.1,0.2,0.7]}\n'),
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"fear","scores":{"fear":1,"fear":0.5}}\n'),
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"fear","scores":{"fear":1}'),
        written(more=b'{"dialogue": "test-00002","turn":1,"label":"fear","scores":{"fear":1}}\n'),
        written(more=b'{"dialogue":"test-00002","turn":1,"label":"\\u0066ear","scores":{"fear":1}}\n'),
        written(more=b"\xff\n"),
    ],
)
def test_lines_as_we_write_them_are_read_fast_to_the_same(
    sample: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[bytes], size: int
) -> None:
    check_both_ways(sample, tmp_path, monkeypatch, lines, size)


LABELS = ("no emotion", "happiness", "anger")
score = st.sampled_from([b"0", b"1", b"0.25", b"0.5", b"0.75", b"-0.5", b"1e-3", b"0.123456"])
order = st.sampled_from([LABELS, LABELS[::-1], LABELS[:2], (), ("anger", "anger"), ("unknown",)])


@st.composite
def any_lines(draw: st.DrawFn) -> list[bytes]:
    """Lines for the first utterances, nearly all with the same labels in the same order, with names or without."""
    usual, lines = draw(order), []
    named: tuple[str, ...] = ()
    for place in range(draw(st.integers(1, 12))):
        names = usual if draw(st.integers(0, 9)) else draw(order)
        listed = 0 < len(named) == len(set(named)) and draw(st.booleans())
        if listed:
            names = named  # those of the last line that has any
        named = names or named
        numbers = [draw(score) for _ in names]
        if not listed:
            numbers = [b'"%b":%b' % (name.encode(), number) for name, number in zip(names, numbers, strict=True)]
        scores = b',"scores":' + (b"[%b]" if listed else b"{%b}") % b",".join(numbers) if names else b""
        label = draw(st.sampled_from([b"null", *(b'"%b"' % name.encode() for name in LABELS)]))
        lines.append(b'{"dialogue":"test-%05d","turn":%d,"label":%b%b}\n' % (place // 4, place % 4, label, scores))
    return lines


@settings(max_examples=300, deadline=None)
@given(lines=any_lines(), size=st.sampled_from([40, 200, 1 << 18]))
def test_any_lines_are_read_fast_to_the_same(
    sample: Dataset, tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        check_both_ways(sample, tmp_path_factory.mktemp("lines"), patch, lines, size)
