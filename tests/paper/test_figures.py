from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.paper.figures import figure_3, figure_4, write_pictures
from erc_bench.paper.measure import Measurements
from erc_bench.protocols.rows import Score

if TYPE_CHECKING:
    from .conftest import MakeRun


def test_figure_3_shares_sum_to_one_for_every_label_that_occurs(make_run: MakeRun, sample: Dataset) -> None:
    figure = figure_3(Measurements(sample, [make_run("sentemocontext", wrong=4)]))
    support = dict.fromkeys(sample.labels.names, 0)
    for dialogue in sample.test:
        for utterance in dialogue.utterances:
            support[utterance.label or ""] += 1
    block = next(line.block for line in figure.lines if line.measured)
    for line in (line for line in figure.lines if line.block == block):
        shares = [line.measured[name] for name in (*sample.labels.names, "unusable")]
        total = sum(share.value for share in shares if isinstance(share, Score))
        assert total == pytest.approx(1 if support[line.name] else 0)


def test_figure_4_counts_the_emotions_of_every_split(sample: Dataset) -> None:
    figure = figure_4(sample)
    counted = [
        line.measured[column.name] for line in figure.lines for column in figure.columns if column.unit == "count"
    ]
    total = sum(count.value for count in counted if isinstance(count, Score))
    labels = [u.label for split in SPLITS for dialogue in sample.split(split) for u in dialogue.utterances]
    assert total == sum(label in sample.labels.emotions for label in labels)


def test_the_same_measurements_give_the_same_pictures(make_run: MakeRun, sample: Dataset, tmp_path: Path) -> None:
    found = Measurements(sample, [make_run("sentemocontext", wrong=4)])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = (write_pictures(found, (3, 4), tmp_path / name) for name in ("one", "two"))
    assert {path.name for path in first} == {"figure-3.png", "figure-3.svg", "figure-4.png", "figure-4.svg"}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
