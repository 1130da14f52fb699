from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from erc_bench.cli import cli, main
from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.progress import SilentProgress
from erc_bench.running.runner import RunRequest, execute


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, sample: Dataset) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for name in ("constant", "lookup", "prior"):
        system = system_class(name)
        execute(RunRequest(system, system.Config(), sample, folder), SilentProgress())
    return folder


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["show", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_plain_lines_outside_a_terminal(results: Path, sample: Dataset) -> None:
    output = invoke("constant", "--results-dir", str(results), "--limit", "0")
    assert "\x1b" not in output
    lines = output.splitlines()
    for dialogue in sample.test:
        start = next(i for i, line in enumerate(lines) if line.startswith(f"{dialogue.id} ("))
        for offset, utterance in enumerate(dialogue.utterances, start=2):
            line = lines[start + offset]
            assert line.endswith(" ".join(utterance.text.split()))
            assert ("✓" in line) == (utterance.label == "no emotion")


def test_limit_and_what_it_leaves_out(results: Path, sample: Dataset) -> None:
    output = invoke("constant", "--results-dir", str(results), "--limit", "2")
    assert sum(line.startswith("test-") for line in output.splitlines()) == 2
    assert f"in {len(sample.test)} dialogues selected; showing the first 2 (--limit" in output


def test_compare_marks_and_counts(results: Path) -> None:
    output = invoke("prior", "--compare", "constant", "--results-dir", str(results), "--limit", "0")
    content = json.loads(
        invoke("prior", "--compare", "constant", "--results-dir", str(results), "--limit", "0", "--json")
    )
    outcomes = content["outcomes"]
    assert f"- helped (only prior is right): {outcomes['helped']} utterances" in output
    assert f"- hurt (only constant is right): {outcomes['hurt']} utterances" in output
    marked = [
        utterance["outcome"]
        for dialogue in content["dialogues"]
        for utterance in dialogue["utterances"]
        if utterance["selected"]
    ]
    assert {name: marked.count(name) for name in ("helped", "hurt")} == {k: outcomes[k] for k in ("helped", "hurt")}


def test_compare_with_a_row_that_has_not_the_seed_says_which_it_takes(results: Path, sample: Dataset) -> None:
    prior = system_class("prior")
    execute(RunRequest(prior, prior.Config(), sample, results, seed=1), SilentProgress())
    arguments = ["show", "prior", "--compare", "constant", "--seed", "1", "--json", "--results-dir", str(results)]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert (content["run"]["seed"], content["other"]["seed"]) == (1, 0)
    assert result.stderr == "constant has no run of seed 1 here (it has 0): comparing with its seed 0.\n"


@pytest.mark.parametrize("option", [("--seed", "7"), ("--dataset", "dailydialog")])
def test_exit_code_2_where_an_option_contradicts_the_folder(
    results: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(results.glob("sample/constant/*/seed-0"))
    with pytest.raises(SystemExit) as stop:
        main(["show", str(folder), *option])
    assert stop.value.code == 2
    assert f"{option[0]} must be" in capsys.readouterr().err


class Terminal:
    """Text that says it goes to a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_on_a_terminal_unless_no_color(
    results: Path, sample: Dataset, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typing import TextIO, cast

    from erc_bench.inspection.show import build_showing, find_run
    from erc_bench.inspection.show_terminal import print_showing

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("NO_COLOR", "1" if no_color else "")
    showing = build_showing(sample, find_run(results, "constant"), label="anger")
    file = Terminal()
    print_showing(showing, showing.dialogues, cast(TextIO, file))
    assert ("\x1b" in file.text) is not no_color
    assert "anger" in file.text


def test_exit_code_3_where_the_texts_are_missing(
    tmp_path: Path, results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = next(results.glob("sample/constant/*/seed-0/run.json"))
    elsewhere = tmp_path / "results" / "dailydialog" / "constant" / run.parts[-3] / "seed-0"
    elsewhere.mkdir(parents=True)
    (elsewhere / "run.json").write_text(run.read_text().replace('"sample"', '"dailydialog"'))
    monkeypatch.delenv("ERC_BENCH_DATA_DIR", raising=False)
    with pytest.raises(SystemExit) as stop:
        main(["show", str(elsewhere), "--data-dir", str(tmp_path / "nothing")])
    assert stop.value.code == 3
    assert "erc-bench data download dailydialog" in capsys.readouterr().err


def test_help_gives_an_example() -> None:
    output = invoke("--help")
    assert "erc-bench show sentemocontext --errors" in output
    assert "With --compare these are only utterances where exactly one" in " ".join(output.split())
