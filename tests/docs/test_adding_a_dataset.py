"""docs/adding-a-dataset.md, followed to the letter: its files are written and its commands are run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.docs.conftest import Reader

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-dataset.md").read_text("utf-8")


def section(title: str) -> str:
    return next(part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE) if part.startswith(title))


def test_without_code(reader: Reader) -> None:
    printed = reader.follow(section("Without code"))
    assert "weighted F1" in printed["erc-bench leaderboard --dataset my-corpus"]
    reader.folder = reader.folder.parent
    assert "my-corpus" in reader.run("erc-bench data list")


@pytest.mark.slow
def test_as_a_package(reader: Reader) -> None:
    printed = reader.follow(section("As a package"))
    assert (
        "scenes in corpora/scenes is complete and unaltered."
        in printed["erc-bench data verify scenes --data-dir corpora"]
    )
    assert "lookup" in printed["erc-bench leaderboard --dataset scenes --data-dir corpora"]
    assert "not in the folder" not in reader.run("erc-bench data list")
    module = reader.site / "scenes" / "__init__.py"
    source = module.read_text()
    module.write_text("import no_such_module")
    with pytest.raises(
        AssertionError, match=r"the dataset scenes of scenes 1\.0 cannot be imported from scenes:SCENES"
    ):
        reader.run("erc-bench data verify scenes --data-dir corpora")
    assert "dailydialog" in reader.run("erc-bench data list")
    module.write_text(source)
    test = reader.folder / "corpora" / "scenes" / "test.txt"
    test.write_text(test.read_text().replace("ferry", "road"))
    with pytest.raises(AssertionError, match="a text, a label or the order differs"):
        reader.run("erc-bench data verify scenes --data-dir corpora")
    test.write_text("glum\tBo\tNo.\n")
    with pytest.raises(AssertionError, match=r"line 1 of .*must be label, speaker and text"):
        reader.run("erc-bench run --system lookup --dataset scenes --data-dir corpora --overwrite")
