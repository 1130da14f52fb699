from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from erc_bench.board.across import AcrossBoard
from erc_bench.board.across_build import FORMATS, build_across, check_formats, rendered, write_across
from erc_bench.contract.domain import Dataset
from erc_bench.errors import DataMissingError, UsageError

if TYPE_CHECKING:
    from tests.conftest import WriteRun


def test_every_format_is_written(across: AcrossBoard, tmp_path: Path) -> None:
    paths = write_across(across, tmp_path / "deep" / "folder", tuple(FORMATS))
    assert [path.name for path in paths] == ["across.md", "across.csv", "across.html"]
    for path, name in zip(paths, FORMATS, strict=True):
        assert path.read_bytes() == rendered(across, name)
        assert b"only-here" in path.read_bytes()


def test_other_formats_are_refused() -> None:
    check_formats(("md", "html"))
    with pytest.raises(UsageError, match="must be among md, csv, html, got latex"):
        check_formats(("md", "latex"))


def test_a_results_folder_of_one_corpus_has_no_such_board(
    tmp_path: Path, sample: Dataset, gold: Callable[[Dataset], list[str]], write_run: WriteRun
) -> None:
    write_run(tmp_path, sample, gold(sample))
    with pytest.raises(DataMissingError, match="got rows on sample only"):
        build_across(tmp_path)
