"""Where `sentemocontext` departs from the paper's text, and what each departure is worth: rows that differ in it alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from erc_bench.board.words import p_text, signed
from erc_bench.contract.config import recorded_value
from erc_bench.contract.registry import system_class
from erc_bench.paper.measure import Measurements, measured_by
from erc_bench.paper.model import Column, Line, Table
from erc_bench.paper.published import Departure, paper_tables
from erc_bench.protocols.rows import Score
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import NamedGroup
from erc_bench.records.record import RunRecord
from erc_bench.scoring.catalogue import MACRO_F1, MICRO_F1
from erc_bench.scoring.significance import compare

NOT_RUN = "not run yet"
BASE = "SentEmoContext, as described"
SHOWN = (MICRO_F1, MACRO_F1)
COLUMNS = (
    Column("paper", "the paper's text"),
    Column("here", "here"),
    Column("back", "set back by"),
    *(Column(metric.name, f"{metric.words}: here minus the paper's") for metric in SHOWN),
    Column("p", "p, micro F1"),
)
BLOCKS = {False: "What the paper claims, taken away", True: "Departures, set back to the paper's text one at a time"}


def departures(found: Measurements) -> Table:
    """A line a departure: what the text says, what stands here, and the paired difference on every test utterance."""
    lines = tuple(_line(found, departure) for departure in paper_tables().departures)
    system = paper_tables().counterparts[BASE].system
    notes = (
        f"Differences are those of {system} and the row that is named, which differ in this alone: mean over seeds, paired by "
        "dialogue, with 95% intervals; p is not corrected for the number of lines.",
        f"A line that is not run yet: erc-bench run --system {system} --set SETTING --seeds 0-9, with the settings that set it "
        "back.",
        "Where the text decides nothing (margin, learning rate, dropout, batch size, how vectors are scaled), the choice here "
        "is no departure and has no line.",
    )
    return Table("departures", f"Departures of {system} from the text of the paper", COLUMNS, lines, notes)


def _line(found: Measurements, departure: Departure) -> Line:
    block, back = BLOCKS[departure.departure], departure.system or _shown(departure)
    measured: dict[str, Score | str] = {"paper": departure.paper, "here": departure.here, "back": back}
    pair = _pair(found, departure)
    if pair is None:
        return Line(block, departure.what, "", {}, measured, NOT_RUN)
    base, other = (found.estimates(UTTERANCE)[named.title] for named in pair)
    for metric in SHOWN:
        result = compare(base, other, metric)
        low, high = signed(metric, result.interval.low), signed(metric, result.interval.high)
        measured[metric.name] = f"{signed(metric, result.difference)} [{low}, {high}]"
    measured["p"] = p_text(compare(base, other, MICRO_F1).p_value)
    return Line(block, departure.what, "", {}, measured, measured_by(pair[1]))


def _shown(departure: Departure) -> str:
    return ", ".join(f"{name}={str(value).lower()}" for name, value in departure.settings.items())


def _pair(found: Measurements, departure: Departure) -> tuple[NamedGroup, NamedGroup] | None:
    """The system with its defaults and with the departure set back, alike in everything else; None where one is missing."""
    system = paper_tables().counterparts[BASE].system
    for base in _rows(found, system):
        at_base, fixed = _settings(base.group.record), _fixed(system)
        if any(at_base[name] != value for name, value in fixed.items()):
            continue
        for other in _rows(found, departure.system or system):
            expected = _fixed(departure.system or system) | departure.settings
            loose = {name: value for name, value in at_base.items() if name not in expected}
            if _settings(other.group.record) == expected | loose:
                return base, other
    return None


def _rows(found: Measurements, system: str) -> Iterator[NamedGroup]:
    known = found.estimates(UTTERANCE)
    for named in found.rows:
        if named.group.record.system == system and named.group.record.targets == "all" and named.title in known:
            yield named


def _settings(record: RunRecord) -> dict[str, Any]:
    """Every setting of a run, those that are younger than it included."""
    config = system_class(record.system).Config
    return {field.name: recorded_value(config, record.config, field.name) for field in dataclasses.fields(config)}


def _fixed(system: str) -> dict[str, Any]:
    """The defaults of a system that are the same on every machine."""
    fields = dataclasses.fields(system_class(system).Config)
    return {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
