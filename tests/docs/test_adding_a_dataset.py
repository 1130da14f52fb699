"""docs/adding-a-dataset.md, followed to the letter: its files are written and its commands are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-dataset.md").read_text("utf-8")
BLOCK = re.compile(r"(?:`(?P<file>[\w./-]+)`:\n\n)?```(?P<kind>\w+)\n(?P<content>.*?)```", re.DOTALL)


class Reader:
    """Somebody who follows the page in a folder, with packages installed into a folder of theirs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.site = folder, folder.parent / "site"

    def run(self, command: str) -> str:
        command = re.sub(
            r"^pip install (?:--upgrade )?",
            f"{shlex.quote(sys.executable)} -m pip install -q --upgrade --no-deps --no-build-isolation "
            f"--target {shlex.quote(str(self.site))} ",
            command,
        )
        command = command.replace(
            "erc-bench ", f"{shlex.quote(sys.executable)} -c 'from erc_bench.cli import main; main()' "
        )
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.site)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def follow(self, page: str) -> dict[str, str]:
        """Write every file and run every command, in order; what each command printed."""
        printed = {}
        for block in BLOCK.finditer(page):
            if block["file"]:
                path = self.folder / block["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block["content"], "utf-8")
            elif block["kind"] == "console":
                for line in block["content"].splitlines():
                    command = line.removeprefix("$ ")
                    printed[command] = self.run(command)
        return printed


@pytest.fixture
def reader(home: Path, tmp_path: Path) -> Reader:
    folder = tmp_path / "work"
    folder.mkdir()
    return Reader(folder)


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
    test = reader.folder / "corpora" / "scenes" / "test.txt"
    test.write_text(test.read_text().replace("ferry", "road"))
    with pytest.raises(AssertionError, match="a text, a label or the order differs"):
        reader.run("erc-bench data verify scenes --data-dir corpora")
    test.write_text("glum\tBo\tNo.\n")
    with pytest.raises(AssertionError, match=r"line 1 of .*must be label, speaker and text"):
        reader.run("erc-bench run --system lookup --dataset scenes --data-dir corpora --overwrite")
