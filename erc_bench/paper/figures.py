"""Figures 3 and 4 of the paper: the counts behind them as tables, and their pictures."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.paper.measure import Measurements, Scored
from erc_bench.paper.model import Column, Line, Table, protocol_name
from erc_bench.paper.published import paper_tables
from erc_bench.paper.tables import AS_DESCRIBED, SEC
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.rows import Score
from erc_bench.protocols.triplet.protocol import TRIPLET
from erc_bench.protocols.utterance import UTTERANCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = ("png", "svg")
UNUSABLE = "unusable"
DIAGONAL = "diagonal"
COLOURS = ("#1f5a8a", "#7fa8c9", "#c98a1b")


def confusions(found: Measurements) -> list[tuple[str, Protocol, Scored | None, str]]:
    """The panels of Figure 3: heading, protocol, what was measured (None without a run), the command still wanted."""
    counterparts = paper_tables().counterparts
    panels: list[tuple[str, Protocol, str]] = [
        ("System as described, every utterance", UTTERANCE, AS_DESCRIBED),
        ("System as described, random triplets", TRIPLET, AS_DESCRIBED),
        ("Released code, random triplets", TRIPLET, SEC),
    ]
    return [(heading, protocol, *found.standing_for(counterparts[key], protocol)) for heading, protocol, key in panels]


def figure_3(found: Measurements) -> Table:
    """Shares of each gold label: the published diagonal (recall in Table 3), and the measured matrices."""
    tables = paper_tables()
    labels = found.dataset.labels.names
    columns = tuple(Column(label, label, "share") for label in (*labels, UNUSABLE))
    diagonal = Column(DIAGONAL, "diagonal", "share")
    lines: list[Line] = []
    for heading, protocol, scored, command in confusions(found):
        for position, label in enumerate(labels):
            printed = tables.row("table_3", label) if "Released" in heading else {}
            published = {DIAGONAL: printed["recall"]} if printed else {}
            measured: dict[str, Score | str] = {}
            if scored is not None:
                shares = scored.shares[position]
                measured = {column.name: Score(float(share)) for column, share in zip(columns, shares, strict=True)}
                measured[DIAGONAL] = Score(float(shares[position]))
            lines.append(
                Line(
                    heading,
                    label,
                    protocol_name(protocol),
                    published,
                    measured,
                    scored.measured_by if scored else "",
                    command,
                )
            )
    notes = (
        "Rows are gold labels, columns predicted ones, each cell a share of its row. The paper gives this figure as a picture "
        "only; its diagonal is the recall that Table 3 prints.",
        "Under the protocol triplet the row is the label of the anchor, and a triplet whose negative is nearer counts as the "
        "negative's label.",
    )
    return Table(
        "figure-3",
        "Figure 3: confusion matrix with contextual representations",
        (diagonal, *columns),
        tuple(lines),
        notes,
    )


def figure_4(dataset: Dataset) -> Table:
    """Utterances by emotion and split."""
    columns = tuple(Column(label, label, "count") for label in dataset.labels.emotions)
    lines = []
    for split in SPLITS:
        counts = _counts(dataset, split)
        measured: dict[str, Score | str] = {label: Score(counts[label]) for label in dataset.labels.emotions}
        lines.append(Line("", split, "", {}, measured, dataset.name))
    notes = ("The paper gives this figure as a picture only. Neutral utterances are left out, as there.",)
    return Table("figure-4", "Figure 4: emotion labels in the splits", columns, tuple(lines), notes)


def _counts(dataset: Dataset, split: str) -> Counter[str]:
    dialogues = next(dataset.split(name) for name in SPLITS if name == split)
    return Counter(u.label for d in dialogues for u in d.utterances if u.label is not None)


def write_pictures(found: Measurements, numbers: Sequence[int], folder: Path) -> list[Path]:
    """Write the pictures of Figures 3 and 4 as PNG and SVG; Figure 3 only where a run gives it.

    The same records give the same bytes.
    """
    written: list[Path] = []
    for number in numbers:
        with _style():
            figure = _draw_3(found) if number == 3 else _draw_4(found.dataset)
            if figure is None:
                continue
            for name in PICTURES:
                path = folder / f"figure-{number}.{name}"
                _save(figure, path, name)
                written.append(path)
    return written


def _save(figure: Figure, path: Path, name: str) -> None:
    import io

    from erc_bench.board.formats.pictures import METADATA
    from erc_bench.files import write_atomically

    buffer = io.BytesIO()
    figure.savefig(buffer, format=name, metadata=METADATA[name], bbox_inches="tight")
    write_atomically(path, buffer.getvalue())


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib.style

    from erc_bench.board.formats.pictures import STYLE

    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _draw_3(found: Measurements) -> Figure | None:
    from matplotlib.figure import Figure

    panels = [(heading, scored) for heading, _, scored, _ in confusions(found) if scored is not None]
    if not panels:
        return None
    labels = found.dataset.labels.names
    figure = Figure(figsize=(4.6 * len(panels), 4.2))
    axes: Sequence[Axes] = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (heading, scored) in zip(axes, panels, strict=True):
        used = len(labels) + bool(scored.shares[:, -1].any())
        shares = scored.shares[:, :used]
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for y, x in np.ndindex(*shares.shape):
            colour = "white" if shares[y, x] > 0.6 else "#1d1d1b"
            axis.text(x, y, f"{shares[y, x]:.2f}", ha="center", va="center", fontsize=7, color=colour)
        axis.set_xticks(range(used), [*labels, UNUSABLE][:used], rotation=40, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(labels)), labels)
        axis.set_xlabel("Predicted")
        axis.set_ylabel("Gold")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.set_title(f"{heading}\n{scored.measured_by} ({found.dataset.name})", fontsize=9, loc="left")
    figure.tight_layout(w_pad=2)
    return figure


def _draw_4(dataset: Dataset) -> Figure:
    from matplotlib.figure import Figure

    emotions = dataset.labels.emotions
    figure = Figure(figsize=(9.6, 3.0))
    axes: Sequence[Axes] = figure.subplots(1, len(SPLITS), squeeze=False)[0]
    for axis, split, colour in zip(axes, SPLITS, COLOURS, strict=True):
        counts = _counts(dataset, split)
        bars = axis.bar(emotions, [counts[label] for label in emotions], color=colour)
        axis.bar_label(bars, [f"{counts[label]:,}" for label in emotions], fontsize=7, padding=2)
        axis.set_xticks(range(len(emotions)), emotions, rotation=40, ha="right", rotation_mode="anchor")
        axis.set_title(
            f"{split}: {sum(counts[label] for label in emotions):,} emotional utterances", fontsize=9, loc="left"
        )
        axis.tick_params(length=0)
        axis.margins(y=0.12)
    axes[0].set_ylabel("Utterances")
    figure.tight_layout(w_pad=1.5)
    return figure
