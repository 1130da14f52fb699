"""From a results folder to the board across its corpora, and from that board to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erc_bench.board.across import AcrossBoard, across_board, check_protocol
from erc_bench.board.build import build_boards
from erc_bench.errors import DataError, UsageError
from erc_bench.files import remove_leftovers, write_atomically
from erc_bench.progress import Progress
from erc_bench.records.record import Run


@dataclass(frozen=True, slots=True)
class Across:
    """The board across the corpora of a results folder, and what is in it but not on the board (see `Boards`)."""

    board: AcrossBoard
    incomplete: tuple[Run, ...] = ()
    problems: tuple[DataError, ...] = ()


def build_across(
    results: Path,
    *,
    protocol: str | None = None,
    data_dir: Path | None = None,
    rank_by: str | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> Across:
    """Compute the board across every dataset that has complete runs; parameters and errors as for `build_boards`.

    Raises
    ------
    DataMissingError
        Besides: fewer than two datasets with measured rows.
    UsageError
        A protocol whose rows are not ranked.
    """
    check_protocol(protocol)
    found = build_boards(
        results, protocol=protocol, data_dir=data_dir, rank_by=rank_by, progress=progress, processes=processes
    )
    return Across(across_board(found.boards, protocol), found.incomplete, found.problems)


def _markdown(board: AcrossBoard) -> str:
    from erc_bench.board.formats.across_files import render_markdown

    return render_markdown(board)


def _csv(board: AcrossBoard) -> str:
    from erc_bench.board.formats.across_files import render_csv

    return render_csv(board)


def _page(board: AcrossBoard) -> str:
    from erc_bench.board.formats.across_page import render_page

    return render_page(board)


STEM = "across"
FORMATS: Mapping[str, tuple[str, Callable[[AcrossBoard], str]]] = {
    "md": (f"{STEM}.md", _markdown),
    "csv": (f"{STEM}.csv", _csv),
    "html": (f"{STEM}.html", _page),
}


def check_formats(names: Sequence[str]) -> None:
    """Refuse formats that the board across corpora is not written in (`UsageError`)."""
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"the formats of a board across corpora must be among {', '.join(FORMATS)}, got {name}.")


def rendered(board: AcrossBoard, format_name: str) -> bytes:
    """The content of a file: the same board gives the same bytes."""
    return FORMATS[format_name][1](board).encode("utf-8", "replace")


def write_across(board: AcrossBoard, output: Path, formats: Sequence[str], stem: str = STEM) -> list[Path]:
    """Write one file a format and return their paths; the texts are all computed before the first is written."""
    contents = [((output / FORMATS[name][0]).with_stem(stem), rendered(board, name)) for name in formats]
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    for path, content in contents:
        write_atomically(path, content)
    return [path for path, _ in contents]
