"""Recomputing the files of `erc-bench transfer`, and naming every difference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from erc_bench.board.formats.transfer_files import FORMATS, rendered
from erc_bench.board.transfer import build_matrices
from erc_bench.inspection.differences import Difference, unlike_all


def verify_transfer(
    results: Path, folders: Sequence[Path], data_dir: Path | None = None
) -> tuple[int, list[Difference]]:
    """Compare every file of matrices in the folders with what the run records give: the number compared, the differences.

    It is right if it equals, byte for byte, what `erc-bench transfer` writes, for all systems or for one of them.
    """
    files = [
        (folder / name, format_name)
        for folder in dict.fromkeys(folders)
        for format_name, (name, _) in FORMATS.items()
        if (folder / name).is_file()
    ]
    if not files:
        return 0, []
    every, _ = build_matrices(results, data_dir=data_dir)
    selections = [every, *({title: cells} for title, cells in every.items())]
    differences: list[Difference] = []
    for path, format_name in files:
        differences += unlike_all(path, (rendered(selection, format_name) for selection in selections))
    return len(files), differences
