"""What the page says of a row once it is opened, as data: what several rows have in common stands once.

The script of the page makes tables, a picture and words of it (`templates/details.js`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from erc_bench.board.by_phenomenon import coarse
from erc_bench.board.formats.page_cells import score_cell
from erc_bench.board.formats.sureness_chart import sureness_chart
from erc_bench.board.published import CHECKED
from erc_bench.board.words import linked
from erc_bench.protocols.rows import Breakdown, Row
from erc_bench.scoring.catalogue import find_metric


class Shared:
    """Values of several kinds, each kept once; whoever has one keeps its place among those of its kind."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {}
        self._places: dict[tuple[str, str], int] = {}

    def place(self, kind: str, value: Any) -> int:
        """Where a value (anything that JSON can hold) stands among those of its kind, which it joins if it is new."""
        values = self.values.setdefault(kind, [])
        place = self._places.setdefault((kind, json.dumps(value)), len(values))
        if place == len(values):
            values.append(value)
        return place


def details(row: Row, breakdowns: Sequence[Breakdown], shared: Shared) -> dict[str, int]:
    """Of each kind of detail that a row has, its place among the shared ones."""
    known = [each for each in breakdowns if row.title in each.scores]
    kinds = {
        "confusion": None if row.confusion is None else {"seeds": row.seeds, "counts": row.confusion.tolist()},
        "labels": list(row.per_label),
        "per_label": [_label_scores(values) for values in row.per_label.values()],
        "phenomena": [
            [each.phenomenon, each.meaning, [[g, f"{n:,}"] for g, n in zip(each.groups, each.supports, strict=True)]]
            for each in known
        ],
        "by_phenomenon": [cells for each in known for cells in _group_scores(each, row.title)],
        "sureness": asdict(chart) if (chart := sureness_chart(row)) else None,
        "scores": [_score(row, name, shared) for name in row.scores],
        "words": _words(row),
    }
    return {kind: shared.place(kind, value) for kind, value in kinds.items() if value}


def _label_scores(values: dict[str, float]) -> str:
    return " ".join([*(f"{values[name]:.1f}" for name in ("precision", "recall", "f1")), f"{values['support']:,.0f}"])


def _group_scores(each: Breakdown, title: str) -> Iterator[list[str]]:
    metric = replace(each.metric, unit=coarse(each.metric))
    for cell in (score_cell(metric, score) for score in each.scores[title]):
        yield [cell.text, cell.interval]


def _score(row: Row, name: str, shared: Shared) -> list[int | str]:
    """A metric's place among the metrics, score, interval and, where answers are unusable, the score with them as neutral."""
    metric = find_metric(name)
    cell = score_cell(metric, row.scores[name])
    neutral = [metric.text(row.unusable_as_neutral.get(name))] if row.unusable_as_neutral else []
    return [shared.place("metrics", metric.heading), f"{cell.text} {cell.deviation}".strip(), cell.interval, *neutral]


def _words(row: Row) -> dict[str, Any]:
    words = {
        "facts": list(_facts(row)),
        "notes": [_pieces(note) for note in row.notes],
        "source": [] if row.evidence == "measured" else _pieces(row.source),
        "commands": [row.source] if row.evidence == "measured" and row.source else list(dict.fromkeys(row.commands)),
    }
    return {name: value for name, value in words.items() if value}


def _pieces(text: str) -> list[str | list[str]]:
    """Stretches of text, and web addresses each in a list of its own."""
    return [[piece.url] if piece.url else piece.text for piece in linked(text)]


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    context = row.context and (
        f"{row.context}, tested by withholding" if row.context_tested else f"{row.context}, not tested"
    )
    speed = row.utterances_per_second
    facts = [
        ("What it is", row.summary),
        ("Reference", row.reference),
        ("Checked", row.checked and f"{row.checked}: {CHECKED.get(row.checked, row.checked)}"),
        ("Context", context),
        ("Decision", row.decision),
        ("Parameters", "" if row.parameters is None else f"{row.parameters:,}"),
        ("Training time", "" if row.train_seconds is None else f"{row.train_seconds:,.1f} s"),
        ("Speed", "" if speed is None else f"{speed:,.1f} utterances per second"),
        ("Seeds", "" if row.seeds is None else str(row.seeds)),
    ]
    yield from ((name, text) for name, text in facts if text)
