"""Pages whose Python examples are executed, one after the other, in an empty folder; and links that lead somewhere."""

from __future__ import annotations

import ast
import doctest
import re
import tomllib
from pathlib import Path

import pytest

import erc_bench
from erc_bench import errors
from erc_bench.cli import COMMANDS

REPOSITORY = Path(__file__).parents[2]
FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
PAGES = sorted(path for path in REPOSITORY.glob("docs/*.md") if "\n>>> " in path.read_text("utf-8"))
LINKED = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(REPOSITORY.glob("docs/*.md"))]


def test_there_are_pages_with_examples() -> None:
    assert {"python.md", "toolkit.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_give_what_the_page_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ERC_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    text = page.read_text("utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(examples, out=failures.append)
    assert examples.examples
    assert not failures, "".join(failures)


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_to_files_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_the_table_of_folders_is_what_they_say_of_themselves() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| \[`([\w/]+)/`\]\(\1\) \| (.*?) \|$", text, re.MULTILINE)
    order = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["erc-bench"]["floors"]["order"]
    rooms = [f"erc_bench/{room}" for room in order if (REPOSITORY / "erc_bench" / room).is_dir()]
    assert [folder for folder, _ in rows] == [*rooms, "systems", "prompts", "leaderboard", "tests"]
    for folder, question in rows[:-2]:
        said = ast.get_docstring(ast.parse((REPOSITORY / folder / "__init__.py").read_text("utf-8"))) or ""
        assert said.startswith(question)


def test_the_readme_lists_every_command_and_every_exit_code() -> None:
    text = (REPOSITORY / "README.md").read_text("utf-8")
    table = text[text.index("## Commands") : text.index("## From Python")]
    assert {line.split()[2].strip("`") for line in table.splitlines() if line.startswith("| `erc-bench")} == set(
        COMMANDS
    )
    codes = {value.exit_code for value in vars(errors).values() if hasattr(value, "exit_code")}
    assert {str(code) for code in codes} <= set(re.findall(r"\b\d+\b", table[table.index("Exit codes") :]))


def test_python_md_lists_every_function() -> None:
    table = (REPOSITORY / "docs" / "python.md").read_text("utf-8").split("## Data")[0]
    functions = {name for name in erc_bench.__all__ if name.islower()} - {"option"}
    assert (
        set(re.findall(r"`(\w+)\(", "".join(line for line in table.splitlines() if line.startswith("|")))) == functions
    )
