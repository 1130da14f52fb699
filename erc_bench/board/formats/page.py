"""The board as one HTML file: no network, no framework, works from disk, readable without JavaScript.

The tables stand in the HTML itself, written by one template under jinja2's autoescaping. What opens from them, details
of rows and pictures, stands as JSON at the end of the page. The script makes elements of it and puts names and texts
from run records into them as text: it writes no HTML. A Content-Security-Policy with the hashes of the one style and
the one script forbids anything else to run or load.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from erc_bench.board.contrasts import Answer
from erc_bench.board.formats.chart import Chart, chart
from erc_bench.board.formats.html import render_template
from erc_bench.board.formats.page_cells import OTHER, Beside, Cell, Column, cell_of
from erc_bench.board.formats.page_details import Shared, details
from erc_bench.board.sureness import without_scores
from erc_bench.board.text import contrast_method, contrast_table
from erc_bench.board.tradeoff import COSTS, linear_ticks
from erc_bench.board.words import protocol_meaning, section_id, subset_meaning
from erc_bench.protocols.registry import protocol_of, protocols
from erc_bench.protocols.rows import Row, Section
from erc_bench.protocols.subsets import ALL, subsets_beside
from erc_bench.scoring.catalogue import headline, ranking_metric
from erc_bench.scoring.metric import Metric


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table; its details stand in the data of the page under its id."""

    id: str
    row: Row
    cells: dict[str, Cell]


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
    shared = Shared()
    lines = {
        line.id: details(line.row, section.breakdowns, shared)
        for section, board in zip(merged, boards, strict=True)
        for line in board.lines
    }
    return render_template(
        "board.html",
        scripts=("board.js", "details.js", "pictures.js"),
        data={
            **shared.values,
            "lines": lines,
            "pictures": {board.id: [each.data() for each in board.charts] for board in boards},
        },
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
    beside = _beside(section, every)
    identity = section_id(section.dataset, section.protocol, section.subset)
    columns = _columns(section, metrics, beside)
    lines = [
        Line(
            f"{identity}-{number}",
            row,
            {column.key: cell_of(row, section.metrics[0], column, beside) for column in columns},
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


def _columns(section: Section, metrics: Sequence[Metric], beside: Beside) -> list[Column]:
    columns = [
        Column("rank", "Rank", hint="Rows that cannot be told apart share a rank"),
        Column("system", "System", kind="text"),
    ]
    for metric in metrics:
        low, high = _scale(section.rows, metric.name)
        floor = _best_floor(section.rows, metric)
        columns.append(
            Column(
                metric.name,
                metric.heading,
                kind="score",
                descending=metric.higher_is_better,
                scale=f"{_plain(low)} to {_plain(high)}",
                bounds=" ".join(
                    f"{metric.unit.shown_as * value:g}" for value in (low, high, floor) if value is not None
                ),
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


def _best_floor(rows: Sequence[Row], metric: Metric) -> float | None:
    found = [row.scores[metric.name].value for row in rows if row.floor and metric.name in row.scores]
    return min(found, key=metric.best_first, default=None)


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
