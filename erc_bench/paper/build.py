"""From a results folder to the tables of the paper and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.files import remove_leftovers, write_atomically
from erc_bench.paper.departures import departures
from erc_bench.paper.figures import figure_3, figure_4, write_pictures
from erc_bench.paper.measure import Measurements
from erc_bench.paper.model import Table
from erc_bench.paper.published import PUBLISHED_ON, SOURCE
from erc_bench.paper.render import render_csv, render_markdown
from erc_bench.paper.sizes import table_6
from erc_bench.paper.tables import table_1, table_2, table_3, table_4, table_5
from erc_bench.records.record import Run, find_runs

TABLES = (1, 2, 3, 4, 5, 6)
FIGURES = (3, 4)
FORMATS = ("md", "csv")


@dataclass(frozen=True, slots=True)
class Paper:
    """The tables that were asked for, and what they were measured on."""

    tables: tuple[Table, ...]
    figures: tuple[int, ...]
    introduction: tuple[str, ...]
    measurements: Measurements
    whole: bool

    @property
    def stem(self) -> str:
        """Name of the files without their ending: `paper`, or the tables that were asked for."""
        return "paper" if self.whole else "-".join(table.key for table in self.tables)


def read_runs(results: Path) -> tuple[Run, ...]:
    """Every run of a results folder; none where there is no such folder: the published columns need none."""
    try:
        return tuple(find_runs(results))
    except DataMissingError:
        return ()


def build_paper(
    dataset: Dataset,
    runs: Sequence[Run],
    *,
    tables: Sequence[int] = (),
    figures: Sequence[int] = (),
    models: Mapping[str, Path] | None = None,
) -> Paper:
    """Compute tables and figures; with neither named, all of them.

    Parameters
    ----------
    models
        Folders of models for Table 6, by their name there.

    Raises
    ------
    DataCorruptError, DataMissingError
        A run made on other data, or whose predictions are missing or altered.
    """
    whole = not (tables or figures)
    wanted_tables = TABLES if whole else tuple(sorted(set(tables)))
    wanted_figures = FIGURES if whole else tuple(sorted(set(figures)))
    found = Measurements(dataset, runs)
    makers: dict[int, Callable[[], Table]] = {
        1: lambda: table_1(dataset),
        2: lambda: table_2(found),
        3: lambda: table_3(found),
        4: lambda: table_4(found),
        5: lambda: table_5(found),
        6: lambda: table_6(found, models or {}),
    }
    made = [makers[number]() for number in wanted_tables]
    made += [figure_3(found) if number == 3 else figure_4(dataset) for number in wanted_figures]
    if whole:
        made.append(departures(found))
    return Paper(tuple(made), wanted_figures, _introduction(found), found, whole)


def _introduction(found: Measurements) -> tuple[str, ...]:
    dataset = found.dataset
    sizes = "; ".join(
        f"{split} {len(dataset.split(split)):,} dialogues, {sum(map(len, dataset.split(split))):,} utterances"
        for split in SPLITS
    )
    paragraphs = [
        f"Published: as printed by {SOURCE}. Measured: computed from the run records of this folder and from the dataset "
        f"{dataset.name} (content SHA-256 {dataset.fingerprint[:12]}…: {sizes}). F1 in percent; * without the neutral label. "
        "Brackets are 95% intervals over dialogues, ± is a standard deviation over resamplings of triplets; of a row with "
        "several seeds the first one is over the resamplings of one seed, the second one over the means of seeds. A dash in a "
        "measured column says that nothing was measured for it here. Where a run or a file would fill a row, it is listed "
        "under the table, and so is every row in which another configuration stands in for the one that the paper has.",
    ]
    if dataset.name != PUBLISHED_ON:
        paragraphs.append(
            f"The published numbers are on {PUBLISHED_ON}, the measured ones on {dataset.name}: they cannot be compared."
        )
    return tuple(paragraphs)


def parse_formats(text: str) -> tuple[str, ...]:
    """Format names from a comma-separated list.

    Raises
    ------
    UsageError
        An empty list.
    UnknownNameError
        A format that does not exist.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"--format must name at least one of {', '.join(FORMATS)}, got {text!r}.")
    for name in names:
        if name not in FORMATS:
            raise UnknownNameError("a format", name, FORMATS)
    return tuple(dict.fromkeys(names))


def write_paper(paper: Paper, output: Path, formats: Sequence[str]) -> list[Path]:
    """Write one file a format and the pictures, and return their paths. The same records give the same bytes."""
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    written = write_pictures(paper.measurements, paper.figures, output)
    renderers: dict[str, Callable[[], str]] = {
        "md": lambda: render_markdown(paper.tables, paper.introduction, [path.name for path in written]),
        "csv": lambda: render_csv(paper.tables),
    }
    for name in formats:
        path = output / f"{paper.stem}.{name}"
        write_atomically(path, renderers[name]().encode("utf-8", "replace"))
        written.append(path)
    return written
