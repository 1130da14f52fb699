"""Following a page of the documentation to the letter: its files are written and its commands are run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def must_say() -> Callable[..., None]:
    """Checks that a page says sentences, wherever its lines end."""

    def check(page: str, *sentences: str) -> None:
        text = " ".join((Path(__file__).parents[2] / page).read_text("utf-8").split())
        for sentence in sentences:
            assert " ".join(sentence.split()) in text, f"{page} must say: {sentence}"

    return check
