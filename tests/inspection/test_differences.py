from __future__ import annotations

from pathlib import Path

from erc_bench.inspection.differences import Difference, unlike_all


def test_a_file_that_equals_one_candidate_differs_in_nothing(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_bytes(b"a\nb\n")
    assert unlike_all(path, [b"a\n", b"a\nb\n"]) == []


def test_the_first_difference_from_the_nearest_candidate_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_bytes(b"a\nb\nc\n")
    (difference,) = unlike_all(path, [b"x\ny\n", b"a\nb\nd\n"])
    assert str(difference) == (
        f"{path}: differs from the board of these runs, first on line 3: recorded 'c\\n', recomputed 'd\\n'"
    )
    (difference,) = unlike_all(path, [])
    assert "first on line 1: recorded 'a\\n', recomputed ''" in difference.what


def test_a_difference_reads_as_where_and_what() -> None:
    assert str(Difference(Path("a"), "is wrong")) == "a: is wrong"
