"""The tables of README and docs that are written from the committed board."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
AGAIN = (
    "Make the board again: erc-bench leaderboard --results-dir leaderboard --format md,csv,html,contrasts && "
    "python docs/make_readme_tables.py"
)


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_readme_tables", REPOSITORY / "docs" / "make_readme_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "docs/fine-tuning.md"])
def test_the_tables_of_a_page_are_the_committed_board(tables: ModuleType, page: str) -> None:
    text = (REPOSITORY / page).read_text("utf-8")
    try:
        wanted = tables.with_tables(text, tables.pages()[page], page)
    except (SystemExit, KeyError) as error:
        pytest.fail(f"The committed board is older than this code: {error}. {AGAIN}")
    assert text == wanted, AGAIN
