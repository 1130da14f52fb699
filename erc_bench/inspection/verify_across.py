"""Recomputing boards across corpora."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from erc_bench.board.across import AcrossBoard, across_board
from erc_bench.board.across_build import FORMATS, STEM, rendered
from erc_bench.board.build import BY, build_boards
from erc_bench.errors import DataMissingError, UsageError
from erc_bench.inspection.differences import Difference, unlike_all
from erc_bench.protocols.registry import protocols
from erc_bench.scoring.catalogue import METRICS


def verify_across(results: Path, folders: Sequence[Path], data_dir: Path | None = None) -> tuple[int, list[Difference]]:
    """Compare every board across corpora in the folders with what its runs give: the number compared, the differences.

    It is right if it equals, byte for byte, what `erc-bench leaderboard --across` writes under any protocol, in the order
    that its name says.
    """
    files: dict[str | None, list[tuple[Path, str]]] = {}
    for folder in dict.fromkeys(folders):
        for format_name in FORMATS:
            for path in sorted([*folder.glob(f"{STEM}.{format_name}"), *folder.glob(f"{STEM}-*.{format_name}")]):
                rank_by = path.stem.rpartition(BY)[2] if BY in path.stem else None
                files.setdefault(rank_by if rank_by in METRICS else None, []).append((path, format_name))
    differences = [
        difference
        for rank_by, named in files.items()
        for boards in [_possible(results, rank_by, data_dir)]
        for path, format_name in named
        for difference in unlike_all(path, (rendered(board, format_name) for board in boards))
    ]
    return sum(map(len, files.values())), differences


def _possible(results: Path, rank_by: str | None, data_dir: Path | None) -> list[AcrossBoard]:
    boards = build_boards(results, data_dir=data_dir, rank_by=rank_by).boards
    found: list[AcrossBoard] = []
    for protocol in protocols():
        with suppress(DataMissingError, UsageError):  # too few corpora have rows of it, or it ranks none
            found.append(across_board(boards, protocol))
    return found
