"""Pictures for papers: intervals and score against cost of a section, confusion matrix of a row, as PNG and SVG.

The same rows give the same bytes: fonts come with matplotlib, ids in SVG files are salted with a constant, and no
file says when or with what it was made.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from erc_bench.board.formats.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart
from erc_bench.board.tradeoff import COSTS, Cost
from erc_bench.board.words import section_id
from erc_bench.errors import UsageError
from erc_bench.protocols.rows import Row, Section
from erc_bench.protocols.subsets import ALL
from erc_bench.scoring.metric import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
INK, MUTED, ACCENT, WARNING = "#1d1d1b", "#6b6962", "#1f5a8a", "#a8432a"
LONGEST_TITLE = 48
LABEL_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6}
ANCHORS: dict[str, Literal["left", "center", "right"]] = {"start": "left", "middle": "center", "end": "right"}
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "svg.hashsalt": "erc-bench",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "savefig.dpi": 200,
}
METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


def write_pictures(sections: Sequence[Section], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write every picture of the sections into a folder, and return the files in the order written.

    A section of one protocol and subset gives `intervals-…`, `parameters-…` and `speed-…` (the ranking metric against the
    cost; only where a row states it). The subset `all` gives a `confusion-…` for each row that has counts as well.

    Raises
    ------
    UsageError
        A format other than png and svg.
    """
    for wanted in formats:
        if wanted not in FORMATS:
            raise UsageError(f"a picture format must be one of {', '.join(FORMATS)}, got {wanted!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for section in sections:
        for name, draw in _pictures(section):
            with style():
                figure = draw()
                for wanted in formats:
                    path = folder / f"{name}.{wanted}"
                    figure.savefig(path, format=wanted, metadata=METADATA[wanted], bbox_inches="tight")
                    written.append(path)
    return written


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user's matplotlibrc says."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        # A title may hold characters that DejaVu lacks: they show as boxes, which is no reason to stop.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _pictures(section: Section) -> Iterator[tuple[str, Callable[[], Figure]]]:
    base = section_id(section.dataset, section.protocol, section.subset)
    if not section.rows:
        return
    yield f"intervals-{base}", partial(interval_figure, section)
    for cost, name in zip(COSTS, ("parameters", "speed"), strict=True):
        if chart(section.rows, section.drawn[0], cost).marks:
            yield f"{name}-{base}", partial(tradeoff_figure, section, cost)
    taken: set[str] = set()
    for row in section.rows:
        if row.confusion is not None and section.subset == ALL.name:
            yield f"confusion-{base}-{_file_part(row.title, taken)}", partial(confusion_figure, row)


def _file_part(title: str, taken: set[str]) -> str:
    short = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "row"
    name, count = short, 1
    while name in taken:
        count += 1
        name = f"{short}-{count}"
    taken.add(name)
    return name


def interval_figure(section: Section) -> Figure:
    """Headline scores of all rows with their 95% intervals, best row on top, the best floor as a dashed line."""
    from matplotlib.figure import Figure

    rows = section.rows
    metrics = [metric for metric in section.drawn if any(metric.name in row.scores for row in rows)]
    figure = Figure(figsize=(2.6 + 1.9 * len(metrics), 0.9 + 0.26 * len(rows)))
    axes: Sequence[Axes] = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        for place, row in enumerate(rows):
            _interval(axis, place, row, metric)
        floors = [row.scores[metric.name].value for row in rows if row.floor and metric.name in row.scores]
        if floors:
            axis.axvline(
                min(floors, key=metric.best_first), color=WARNING, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0
            )
        axis.set_xlabel(metric.heading)
        axis.grid(axis="x", color="#e4e1d8", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.tick_params(length=0)
        axis.spines["left"].set_visible(False)
        axis.margins(x=0.06)
    axes[0].set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    _title(figure, section)
    figure.tight_layout(w_pad=1.2)
    return figure


def _interval(axis: Axes, place: int, row: Row, metric: Metric) -> None:
    score = row.scores.get(metric.name)
    if score is None:
        return
    color = MUTED if row.floor else ACCENT
    if score.low is not None and score.high is not None:
        axis.plot([score.low, score.high], [place, place], color=color, linewidth=1.6, solid_capstyle="butt")
    axis.plot(score.value, place, "D" if row.floor else "o", color=color, markersize=3.2)


def tradeoff_figure(section: Section, cost: Cost) -> Figure:
    """The ranking metric against a cost on a logarithmic axis, with the line through the rows that none beats on both."""
    from matplotlib.figure import Figure

    drawn = chart(section.rows, section.drawn[0], cost)
    figure = Figure(figsize=(6.4, 4.0))
    axis = figure.add_subplot()
    front = [mark for mark in drawn.marks if mark.front]
    axis.plot([m.x for m in front], [m.y for m in front], color=ACCENT, linewidth=1, alpha=0.6, zorder=1)
    for mark in drawn.marks:
        row, color = section.rows[mark.row], ACCENT if mark.front else MUTED
        if mark.low is not None and mark.high is not None:
            axis.plot([mark.x, mark.x], [mark.low, mark.high], color=color, linewidth=0.9, zorder=2)
        face = color if row.floor or row.evidence == "measured" else "white"
        symbol = "D" if row.floor else "o"
        axis.plot(mark.x, mark.y, symbol, color=color, markerfacecolor=face, markersize=4.5, zorder=3)
        if mark.label:
            axis.text(
                mark.label.x,
                mark.label.y,
                shortened(mark.label.text),
                ha=ANCHORS[mark.label.anchor],
                va="baseline",
                fontsize=7.5,
                color=INK if mark.front else MUTED,
                bbox=LABEL_BOX,
            )
    axis.set_xlim(LEFT, WIDTH - RIGHT)
    axis.set_ylim(HEIGHT - BOTTOM, TOP)
    axis.set_xticks([tick.at for tick in drawn.x_ticks], [tick.text for tick in drawn.x_ticks])
    axis.set_yticks([tick.at for tick in drawn.y_ticks], [tick.text for tick in drawn.y_ticks])
    axis.set_xlabel(f"{cost.label} (logarithmic)")
    axis.set_ylabel(drawn.metric.heading)
    axis.grid(axis="y", color="#e4e1d8", linewidth=0.6)
    axis.set_axisbelow(True)
    _title(figure, section)
    figure.tight_layout()
    return figure


def confusion_figure(row: Row) -> Figure:
    """Counts of a row, summed over its seeds: gold labels by rows, predicted by columns, shaded by share of the row."""
    from matplotlib.figure import Figure

    if row.confusion is None:
        raise ValueError(f"row must have a confusion matrix, got none for {row.title!r}")
    counts = row.confusion
    gold = list(row.per_label)
    predicted = [*gold, "unusable"]
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    figure = Figure(figsize=(5.4, 4.2))
    axis = figure.add_subplot()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, line in enumerate(counts):
        for x, count in enumerate(line):
            color = "white" if shares[y, x] > 0.6 else INK
            axis.text(x, y, f"{count:,}", ha="center", va="center", fontsize=7, color=color)
    axis.set_xticks(range(len(predicted)), predicted, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(gold)), gold)
    axis.set_xlabel("Predicted")
    axis.set_ylabel("Gold")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(f"{shortened(row.title)}\n{row.dataset}, {row.protocol}, {row.subset}", fontsize=9, loc="left")
    figure.tight_layout()
    return figure


def _title(figure: Figure, section: Section) -> None:
    text = f"{section.dataset}, {section.protocol}, {section.subset}: {section.utterances:,} utterances"
    figure.axes[0].set_title(text, fontsize=9, loc="left")


def _label(row: Row) -> str:
    return f"{shortened(row.title)} (floor)" if row.floor else shortened(row.title)


def shortened(text: str, longest: int = LONGEST_TITLE) -> str:
    """A text that fits a picture, without characters that cannot be printed."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= longest else f"{printable[: longest - 1]}…"
