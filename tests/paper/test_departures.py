from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from erc_bench.contract.config import as_json, build_config
from erc_bench.contract.domain import Dataset
from erc_bench.paper.departures import departures
from erc_bench.paper.measure import Measurements
from erc_bench.paper.model import Line
from erc_bench.paper.published import paper_tables
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.record import Run
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.variants import PaperConfig

DEFAULTS = as_json(SentEmoContextConfig(precision="float32"))
SINCE = ("precision", "weights_from", "keep", "speakers", "positions")


def line(found: Measurements, what: str) -> Line:
    return next(line for line in departures(found).lines if line.name == what)


def test_the_departures_are_all_that_the_literal_row_sets_back() -> None:
    listed: dict[str, Any] = {}
    for departure in paper_tables().departures:
        build_config(SentEmoContextConfig, departure.settings, owner="sentemocontext")
        assert all(DEFAULTS[name] != value for name, value in departure.settings.items()), departure.what
        if departure.departure:
            listed |= departure.settings
    paper = as_json(PaperConfig(precision="float32"))
    assert listed == {name: value for name, value in paper.items() if DEFAULTS[name] != value}


def test_a_departure_is_the_difference_of_two_rows_that_differ_in_it_alone(
    make_run: Callable[..., Run], sample: Dataset
) -> None:
    older = {
        name: value for name, value in DEFAULTS.items() if name not in SINCE
    }  # a record from before these settings
    runs = [
        make_run("sentemocontext", wrong=4, config=older),
        make_run("sentemocontext", wrong=2, config=DEFAULTS | {"precision": "bf16"}, settings={"precision": "bf16"}),
        make_run("sentemocontext", wrong=3, config=DEFAULTS | {"keep": "last"}, settings={"keep": "last"}),
        make_run("sentemocontext", config=older | {"epochs": 2, "decision": "argmax"}, settings={"decision": "argmax"}),
    ]
    found = Measurements(sample, runs)
    scores = {row.title: found.score(row, UTTERANCE) for row in found.rows}
    kept = line(found, "epoch")
    assert kept.measured_by == "sentemocontext (keep=last), seed 0"
    micro_f1 = [each.values["micro_f1"].value for title, each in scores.items() if each and "bf16" not in title]
    base, other = sorted(micro_f1)[-1], scores["sentemocontext (keep=last)"]
    assert other is not None
    assert str(kept.measured["micro_f1"]).startswith(f"{base - other.values['micro_f1'].value:+.2f} [")
    assert line(found, "decision").measured_by == "not run yet", "that run differs in another setting, too"
    assert line(found, "speakers").measured["back"] == "speakers=false"


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_literal_row_is_compared_with_the_same_precision(
    make_run: Callable[..., Run], sample: Dataset, precision: Any
) -> None:
    paper = as_json(PaperConfig(precision=precision))
    runs = [make_run("sentemocontext", config=DEFAULTS), make_run("sentemocontext-paper", wrong=2, config=paper)]
    found = line(Measurements(sample, runs), "all departures at once")
    assert ("micro_f1" in found.measured) is (precision == "float32")
