from __future__ import annotations

import json
import os
import subprocess
import sys
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
    for name in ("constant", "lookup"):
        system = system_class(name)
        execute(RunRequest(system, system.Config(), sample, folder), SilentProgress())
    return folder


def test_prints_and_writes_every_table(results: Path, tmp_path: Path) -> None:
    arguments = ["paper", "--dataset", "sample", "--results-dir", str(results), "--output-dir", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    for number in range(1, 7):
        assert f"\nTable {number}: " in result.stdout
    for number in (3, 4):
        assert f"\nFigure {number}: " in result.stdout
    assert "lookup, seed 0" in result.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"paper.md", "paper.csv", "figure-4.png", "figure-4.svg"}
    assert f"wrote {tmp_path / 'paper.md'}" in result.stderr


def test_json_has_a_record_a_cell(results: Path, tmp_path: Path) -> None:
    arguments = ["paper", "--table", "5", "--json", "--dataset", "sample", "--results-dir", str(results)]
    result = CliRunner().invoke(cli, [*arguments, "--output-dir", str(tmp_path)], catch_exceptions=False)
    records = json.loads(result.stdout)
    found = {
        record["column"]: (record["published"], record["measured"])
        for record in records
        if record["row"] == "Llama2-13b" and record["block"].startswith("Recomputed")
    }
    assert found == {
        "P": ("32.63", 32.6250111),
        "R": ("83.49", 83.48623853),
        "macro F1*": ("22.26", 22.26321365),
        "micro F1*": ("43.37", 43.36775218),
        "MCC": ("0.15", 0.15200337),
    }


def test_without_runs_the_published_columns_remain(tmp_path: Path) -> None:
    arguments = ["paper", "--table", "2", "--dataset", "sample", "--results-dir", str(tmp_path / "none")]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "64.07" in result.stdout
    assert "no complete run on sample" in result.stderr


def test_exit_code_3_without_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ERC_BENCH_DATA_DIR", raising=False)
    with pytest.raises(SystemExit) as stop:
        main(["paper", "--data-dir", str(tmp_path), "--results-dir", str(tmp_path)])
    assert stop.value.code == 3
    assert "data download dailydialog" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--table", "7"], ["--figure", "1"], ["--format", "pdf"], ["--model", "x"]])
def test_exit_code_2_on_what_makes_no_sense(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["paper", "--dataset", "sample", *arguments])
    assert stop.value.code == 2


def test_no_torch_is_imported(results: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from erc_bench.cli import cli; "
        f"cli.main(['paper', '--dataset', 'sample', '--results-dir', {str(results)!r}, '--output-dir', {str(tmp_path)!r}], "
        "standalone_mode=False); assert not {'torch', 'transformers'} & set(sys.modules), 'imported'"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env=environment, timeout=120)


def test_help_gives_an_example() -> None:
    assert "erc-bench paper --table 2" in CliRunner().invoke(cli, ["paper", "--help"]).output
