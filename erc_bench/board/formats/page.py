"""The board as one HTML file: no network, no framework, works from disk, readable without JavaScript.

Everything stands in the HTML itself, written by one template under jinja2's autoescaping. The script only shows,
hides and reorders what is there: it parses no data and writes no HTML, so that names and texts from run records
reach the page by one escaped way. A Content-Security-Policy with the hashes of the one style and the one script
forbids anything else to run or load.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from erc_bench.board.by_phenomenon import coarse
from erc_bench.board.contrasts import Answer
from erc_bench.board.formats.chart import Chart, chart
from erc_bench.board.formats.html import render_template
from erc_bench.board.formats.page_cells import OTHER, Beside, Cell, Column, cell_of, score_cell
from erc_bench.board.formats.sureness_chart import SurenessChart, sureness_chart
from erc_bench.board.published import CHECKED
from erc_bench.board.sureness import without_scores
from erc_bench.board.text import contrast_method, contrast_table
from erc_bench.board.tradeoff import COSTS, linear_ticks
from erc_bench.board.words import (
    Piece,
    linked,
    protocol_meaning,
    section_id,
    subset_meaning,
)
from erc_bench.protocols.registry import protocol_of, protocols
from erc_bench.protocols.rows import Breakdown, Row, Section
from erc_bench.protocols.subsets import ALL, subsets_beside
from erc_bench.scoring.catalogue import find_metric, headline, ranking_metric
from erc_bench.scoring.metric import Metric

SHADES = 6


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table with its details."""

    id: str
    row: Row
    cells: dict[str, Cell]
    source: list[Piece]
    scores: list[tuple[str, Cell, str]]
    notes: list[list[Piece]]
    per_label: list[tuple[str, list[str]]]
    confusion: list[tuple[str, list[tuple[str, int, bool]]]]
    predicted: list[str]
    commands: list[str]
    facts: list[tuple[str, str]]
    phenomena: list[tuple[str, str, list[tuple[str, str, Cell]]]]
    sureness: SurenessChart | None


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section as the template sees it."""

    id: str
    dataset: str
    protocol: str
    subset: str
    meaning: str
    size: str
    footnotes: list[str]
    columns: list[Column]
    lines: list[Line]
    charts: list[Chart]


def render_page(
    sections: Sequence[Section],
    published: Sequence[Row] = (),
    contrasts: Sequence[tuple[str, Sequence[Answer]]] = (),
    *,
    title: str = "Emotion Recognition in Conversation",
) -> str:
    """The whole page as HTML, ending with a newline.

    Published rows join the section of their dataset, protocol and subset, below what was measured there; one whose
    section has no run gets a section of its own. `contrasts` are the planned ones by dataset. The same input gives the
    same text.
    """
    merged = _with_published(sections, published)
    boards = [_view(section, merged) for section in merged]
    return render_template(
        "board.html",
        script="board.js",
        title=title,
        boards=boards,
        contrasts=[
            (name, section_id(name, "planned", "contrasts"), contrast_table(tested)) for name, tested in contrasts
        ],
        contrast_method=contrast_method(),
        choices={
            "dataset": list(dict.fromkeys(board.dataset for board in boards)),
            "protocol": list(dict.fromkeys(board.protocol for board in boards)),
            "subset": list(dict.fromkeys(board.subset for board in boards)),
        },
        costs=COSTS,
    )


def _with_published(sections: Sequence[Section], published: Sequence[Row]) -> list[Section]:
    groups = {(section.dataset, section.protocol, section.subset): list(section.rows) for section in sections}
    measured = {(section.dataset, section.protocol, section.subset): section for section in sections}
    ordered = sorted(published, key=_published_order)
    for row in ordered:
        groups.setdefault((row.dataset, row.protocol, row.subset), []).append(row)
    datasets = list(dict.fromkeys(dataset for dataset, _, _ in groups))
    names = list(dict.fromkeys([*protocols(), *(protocol_of(protocol) for _, protocol, _ in groups)]))
    order = sorted(groups, key=lambda key: (datasets.index(key[0]), names.index(protocol_of(key[1]))))
    return [
        replace(
            measured.get(key) or Section(*key, 0, 0, (), metrics=headline(ranking_metric(key[0]))),
            rows=tuple(groups[key]),
        )
        for key in order
    ]


def _published_order(row: Row) -> tuple[float, str]:
    """By the first of the headline scores that the source gives."""
    found = [metric for metric in headline(ranking_metric(row.dataset)) if metric.name in row.scores]
    return found[0].best_first(row.scores[found[0].name].value) if found else math.inf, row.title


def _view(section: Section, every: Sequence[Section]) -> SectionView:
    rows = section.rows
    metrics = [metric for metric in section.metrics if any(metric.name in row.scores for row in rows)]
    scales = {metric.name: _scale(rows, metric.name) for metric in metrics}
    beside = _beside(section, every)
    identity = section_id(section.dataset, section.protocol, section.subset)
    columns = _columns(section, metrics, scales, beside)
    floors = {
        metric.name: min(
            (row.scores[metric.name].value for row in rows if row.floor and metric.name in row.scores),
            key=metric.best_first,
            default=None,
        )
        for metric in metrics
    }
    lines = [
        replace(
            _line(f"{identity}-{number}", row, section.metrics[0], columns, scales, floors, beside),
            phenomena=_phenomena(section.breakdowns, row.title),
        )
        for number, row in enumerate(rows, start=1)
    ]
    meanings = (protocol_meaning(section.protocol), subset_meaning(section.subset))
    return SectionView(
        id=identity,
        dataset=section.dataset,
        protocol=section.protocol,
        subset=section.subset,
        meaning=" ".join(text for text in meanings if text),
        size=f"{section.dialogues:,} dialogues, {section.utterances:,} utterances" if section.dialogues else "",
        footnotes=_footnotes(section),
        columns=[column for column in columns if any(line.cells[column.key].sort for line in lines)],
        lines=lines,
        charts=[chart(rows, metric, cost) for cost in COSTS for metric in metrics if metric in section.drawn],
    )


def _footnotes(section: Section) -> list[str]:
    empty = dict.fromkeys(label for row in section.rows for label in row.without_support)
    notes = [f"No utterance here has the label {label}: it scores 0 in the macro mean." for label in empty]
    silent = without_scores(section)
    if silent:
        notes.append(f"No scores in the predictions, so that how sure they are is not known: {', '.join(silent)}.")
    return notes


def _beside(section: Section, every: Sequence[Section]) -> Beside:
    names = {ALL.name, *(subset.name for subset in subsets_beside())}
    if section.subset not in names:
        return {}
    return {
        f"{OTHER}{other.subset}": {(row.title, row.evidence): row for row in other.rows}
        for other in every
        if (other.dataset, other.protocol) == (section.dataset, section.protocol)
        and other.subset in names - {section.subset}
    }


def _columns(
    section: Section,
    metrics: Sequence[Metric],
    scales: dict[str, tuple[float, float]],
    beside: Beside,
) -> list[Column]:
    columns = [
        Column("rank", "Rank", hint="Rows that cannot be told apart share a rank"),
        Column("system", "System", kind="text"),
    ]
    for metric in metrics:
        low, high = scales[metric.name]
        columns.append(
            Column(
                metric.name,
                metric.heading,
                kind="score",
                descending=metric.higher_is_better,
                scale=f"{_plain(low)} to {_plain(high)}",
            )
        )
    for key in beside:
        other = key.removeprefix(OTHER)
        columns.append(
            Column(
                key,
                f"On {other}",
                descending=section.metrics[0].higher_is_better,
                hint=f"{section.metrics[0].heading} on the subset {other}",
                scale=section.metrics[0].heading,
            )
        )
    return [
        *columns,
        Column("unusable", "Unusable", hint="Share of targets without a usable answer, counted as wrong"),
        Column("context", "Context", kind="text", hint="What the system reads to label an utterance"),
        Column("decision", "Decision", kind="text", hint="How labels are chosen among scores"),
        Column("parameters", "Params"),
        Column("train_seconds", "Training"),
        Column("utterances_per_second", "Utt./s", descending=True, hint="Utterances labelled per second"),
        Column("seeds", "Seeds", descending=True),
        Column("evidence", "Evidence", kind="text"),
    ]


def _plain(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _scale(rows: Sequence[Row], metric: str) -> tuple[float, float]:
    values = [
        value
        for row in rows
        if (score := row.scores.get(metric)) is not None
        for value in (score.low, score.value, score.high)
        if value is not None and math.isfinite(value)
    ]
    ticks = linear_ticks(min(0.0, *values), max(values)) if values and max(values) > 0 else [0.0, 1.0]
    return ticks[0], ticks[-1]


def _line(
    identity: str,
    row: Row,
    ranking: Metric,
    columns: Sequence[Column],
    scales: dict[str, tuple[float, float]],
    floors: dict[str, float | None],
    beside: Beside,
) -> Line:
    labels = list(row.per_label)
    cells = {column.key: cell_of(row, ranking, column, scales, floors, beside) for column in columns}
    return Line(
        id=identity,
        row=row,
        cells=cells,
        source=[] if row.evidence == "measured" else list(linked(row.source)),
        scores=[
            (metric.heading, score_cell(metric, score), metric.text(row.unusable_as_neutral.get(metric.name)))
            for metric, score in ((find_metric(name), score) for name, score in row.scores.items())
        ],
        notes=[list(linked(note)) for note in row.notes],
        per_label=[
            (label, [*(f"{values[name]:.1f}" for name in ("precision", "recall", "f1")), f"{values['support']:,.0f}"])
            for label, values in row.per_label.items()
        ],
        confusion=_confusion(row, labels),
        predicted=[*labels, "unusable"],
        commands=[row.source] if row.evidence == "measured" and row.source else list(dict.fromkeys(row.commands)),
        facts=_facts(row),
        phenomena=[],
        sureness=sureness_chart(row),
    )


def _phenomena(breakdowns: Sequence[Breakdown], title: str) -> list[tuple[str, str, list[tuple[str, str, Cell]]]]:
    """By phenomenon its name, its meaning, and of each group name, support and score."""
    return [
        (
            each.phenomenon,
            each.meaning,
            [
                (group, f"{support:,}", score_cell(replace(each.metric, unit=coarse(each.metric)), score))
                for group, support, score in zip(each.groups, each.supports, each.scores[title], strict=True)
            ],
        )
        for each in breakdowns
        if title in each.scores
    ]


def _confusion(row: Row, labels: Sequence[str]) -> list[tuple[str, list[tuple[str, int, bool]]]]:
    if row.confusion is None:
        return []
    shares = row.confusion / row.confusion.sum(axis=1, keepdims=True).clip(min=1)
    return [
        (
            label,
            [
                (f"{int(count):,}", min(SHADES - 1, math.ceil(share * (SHADES - 1))), gold == predicted)
                for predicted, (count, share) in enumerate(zip(counts, row_shares, strict=True))
            ],
        )
        for gold, (label, counts, row_shares) in enumerate(zip(labels, row.confusion, shares, strict=True))
    ]


def _facts(row: Row) -> list[tuple[str, str]]:
    context = row.context and (
        f"{row.context}, tested by withholding" if row.context_tested else f"{row.context}, not tested"
    )
    facts = [
        ("What it is", row.summary),
        ("Reference", row.reference),
        ("Checked", row.checked and f"{row.checked}: {CHECKED.get(row.checked, row.checked)}"),
        ("Context", context),
        ("Decision", row.decision),
        ("Parameters", "" if row.parameters is None else f"{row.parameters:,}"),
        ("Training time", "" if row.train_seconds is None else f"{row.train_seconds:,.1f} s"),
        (
            "Speed",
            "" if row.utterances_per_second is None else f"{row.utterances_per_second:,.1f} utterances per second",
        ),
        ("Seeds", "" if row.seeds is None else str(row.seeds)),
    ]
    return [(name, text) for name, text in facts if text]
