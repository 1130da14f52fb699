"""Matrices of training and test corpora as Markdown, CSV, a page, and pictures."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erc_bench.board.formats.markdown import escaped, markdown_table
from erc_bench.board.formats.pictures import FORMATS as PICTURE_FORMATS
from erc_bench.board.formats.pictures import INK, METADATA, shortened, style
from erc_bench.board.text import DOCUMENTATION, with_interval
from erc_bench.board.transfer import MEANING, Cell, Matrices, corpora, matrix_table, pair_table
from erc_bench.board.words import MISSING, p_in_files, section_id
from erc_bench.errors import UnknownNameError, UsageError
from erc_bench.files import remove_leftovers, write_atomically
from erc_bench.protocols.rows import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATES = "templates"
SHADES = 6
LIMITS = ("", "_low", "_high")
FIRST_COLUMNS = ("system", "trained_on", "tested_on", "metric", "labels", "utterances")
SCORES = ("score", "own", "difference", "not_verbatim")
COLUMNS = (*FIRST_COLUMNS, *(f"{name}{end}" for name in SCORES for end in LIMITS), "p_value", "seeds", "source")


def values(cell: Cell) -> dict[str, Any]:
    """A cell by `COLUMNS`: scores in the unit of the metric; None for what it does not have."""
    lost = cell.difference
    found: dict[str, Score | None] = {
        "score": cell.score,
        "own": cell.own,
        "difference": None if lost is None else Score(lost.difference, *lost.interval),
        "not_verbatim": cell.not_verbatim,
    }
    limits = {
        f"{name}{end}": cell.metric.rounded(value)
        for name, score in found.items()
        for end, value in zip(
            LIMITS, (None,) * 3 if score is None else (score.value, score.low, score.high), strict=True
        )
    }
    first = (cell.system, cell.train, cell.test, cell.metric.name, cell.labels, cell.utterances)
    p_value = None if lost is None else p_in_files(lost.p_value)
    return {
        **dict(zip(FIRST_COLUMNS, first, strict=True)),
        **limits,
        "p_value": p_value,
        "seeds": cell.seeds,
        "source": cell.source,
    }


def render_csv(every: Matrices) -> str:
    """A line a system and pair of corpora."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for cells in every.values():
        writer.writerows({k: "" if v is None else v for k, v in values(cell).items()} for cell in cells)
    return file.getvalue()


def render_markdown(every: Matrices) -> str:
    """A matrix a system, then all pairs."""
    blocks = ["# Transfer", f"{escaped(MEANING)} More: [{DOCUMENTATION}](../{DOCUMENTATION})."]
    for title, cells in every.items():
        blocks += [f"## {escaped(title)}", markdown_table(matrix_table(cells))]
    blocks += ["## All pairs", escaped(PAIRS), markdown_table(pair_table(every))]
    return "\n\n".join(blocks) + "\n"


PAIRS = (
    "Own: the same system trained on the test corpus, on the same utterances. Difference: the score minus that, paired over "
    "dialogues. Not-verbatim: without test utterances and dialogues that stand word for word in a training split."
)


def render_page(every: Matrices) -> str:
    """One HTML file: works from disk, without scripts; nothing else may load."""
    import jinja2

    folder = files("erc_bench.board.formats") / TEMPLATES
    sheet = (folder / "board.css").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"page": (folder / "transfer.html").read_text(encoding="utf-8")}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return environment.get_template("page").render(
        meaning=MEANING,
        pairs_meaning=PAIRS,
        matrices=[_shaded(title, cells) for title, cells in every.items()],
        pairs=pair_table(every),
        style=sheet,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


def kept_share(cell: Cell | None) -> float:
    """What part of the system's own score is left, 0..1; 1 on the diagonal, nan where nothing tells."""
    if cell is None or (cell.own is None and cell.train != cell.test):
        return math.nan
    if cell.own is None:
        return 1.0
    return min(1.0, max(0.0, cell.score.value / cell.own.value)) if cell.own.value > 0 else math.nan


def _shaded(title: str, cells: Sequence[Cell]) -> tuple[str, Sequence[str], list[tuple[Sequence[str], list[int]]]]:
    """The matrix of a system: its title, the names of its columns, and each row with its shades."""
    table, (rows, columns) = matrix_table(cells), corpora(cells)
    known = {(cell.train, cell.test): kept_share(cell) for cell in cells}
    shares = [[known.get((train, test), math.nan) for test in columns] for train in rows]
    shades = [[0 if math.isnan(share) else round(share * (SHADES - 1)) for share in row] for row in shares]
    return title, table.columns, list(zip(table.rows, shades, strict=True))


def matrix_figure(title: str, cells: Sequence[Cell]) -> Figure:
    """The matrix of a system, shaded by what is left of its own score on the test corpus."""
    import numpy as np
    from matplotlib.figure import Figure

    rows, columns = corpora(cells)
    known = {(cell.train, cell.test): cell for cell in cells}
    metrics = {cell.test: cell.metric for cell in cells}
    shares = np.array([[kept_share(known.get((train, test))) for test in columns] for train in rows])
    figure = Figure(figsize=(1.8 + 1.7 * len(columns), 1.1 + 0.8 * len(rows)))
    axis = figure.add_subplot()
    axis.imshow(np.ma.masked_invalid(shares), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for y, train in enumerate(rows):
        for x, test in enumerate(columns):
            cell = known.get((train, test))
            if cell is None:
                text = MISSING
            else:
                text = with_interval(cell.metric, cell.score).replace(" [", "\n[")
                text += "" if cell.own is None else f"\nown {cell.metric.text(cell.own.value)}"
            color = "white" if shares[y, x] > 0.85 else INK
            axis.text(x, y, text, ha="center", va="center", fontsize=7.5, color=color)
    axis.set_xticks(range(len(columns)), [f"{test}\n{metrics[test].words}" for test in columns])
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xlabel("Tested on")
    axis.set_ylabel("Trained on")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(shortened(title), fontsize=9, loc="left")
    figure.tight_layout()
    return figure


FORMATS: Mapping[str, tuple[str, Callable[[Matrices], str]]] = {
    "md": ("transfer.md", render_markdown),
    "csv": ("transfer.csv", render_csv),
    "html": ("transfer.html", render_page),
}


def parse_formats(text: str) -> tuple[str, ...]:
    """Format names from a comma-separated list.

    Raises
    ------
    UsageError
        An empty list, or a format that does not exist.
    """
    known = [*FORMATS, *PICTURE_FORMATS]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--format must name at least one of {', '.join(known)}, got {text!r}.")
    for name in names:
        if name not in known:
            raise UnknownNameError("a format", name, known)
    return tuple(dict.fromkeys(names))


def rendered(every: Matrices, format_name: str) -> bytes:
    """The content of a file: the same matrices give the same bytes."""
    return FORMATS[format_name][1](every).encode("utf-8", "replace")


def write_matrices(every: Matrices, output: Path, formats: Sequence[str]) -> list[Path]:
    """Write one file a format, and a picture a system below `pictures/`, and return their paths."""
    contents = [(output / FORMATS[name][0], rendered(every, name)) for name in formats if name in FORMATS]
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    for path, content in contents:
        write_atomically(path, content)
    written = [path for path, _ in contents]
    for title, cells in every.items():
        written += _drawn(partial(matrix_figure, title, cells), output / "pictures", title, formats)
    return written


def _drawn(draw: Callable[[], Figure], folder: Path, title: str, formats: Sequence[str]) -> list[Path]:
    wanted = [name for name in formats if name in PICTURE_FORMATS]
    paths = [folder / f"transfer-{section_id(title, '', '').removesuffix('-x-x')}.{name}" for name in wanted]
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
        with style():
            figure = draw()
            for path, name in zip(paths, wanted, strict=True):
                figure.savefig(path, format=name, metadata=METADATA[name], bbox_inches="tight")
    return paths
