from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--system", "constant", "--dataset", "sample", "--dataset", "dailydialog"),
        ("run", "--system", "constant", "--dataset", "sample", "--results-dir", "a", "--results-dir", "b"),
        ("run", "--system", "constant", "--seed", "1", "--seed=2"),
        ("leaderboard", "--results-dir", "a", "--results-dir", "b"),
        ("data", "verify", "sample", "--data-dir", "a", "--data-dir", "b"),
    ],
)
def test_an_option_with_one_value_is_given_once(
    arguments: tuple[str, ...], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command(*arguments)
    assert outcome.code == 2
    assert "must be given once, got it 2 times" in outcome.err
    assert not list(tmp_path.iterdir())
