from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from erc_bench import cli
from erc_bench.contract import registry
from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress


class Choosy(System[NoConfig]):
    """Fails on odd seeds."""

    info = SystemInfo("choosy", "fails on odd seeds", "nobody", "utterance", "CC0-1.0")

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        if self.runtime.seed % 2:
            raise SystemFailedError("an odd seed")
        yield from (Prediction(*target, self.labels.neutral) for target in targets)


@pytest.fixture
def choosy(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry.system_class
    monkeypatch.setattr(registry, "system_class", lambda name: Choosy if name == "choosy" else known(name))


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--dataset", "sample", *map(str, arguments)])
    return int(caught.value.code or 0)


@pytest.mark.usefixtures("choosy")
@pytest.mark.parametrize(("seeds", "code"), [("0-0", 0), ("1-1", 4), ("0-2", 5)])
def test_exit_code_tells_how_many_failed(
    seeds: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--system", "choosy", "--seeds", seeds, "--results-dir", tmp_path) == code
    output = capsys.readouterr()
    assert ("an odd seed" in output.err) == (code != 0)
    assert output.out.count("complete") == {0: 1, 4: 0, 5: 2}[code]


@pytest.mark.usefixtures("choosy")
def test_all_of_several_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Choosy, "predict", raise_always)
    assert run("--system", "choosy", "--seeds", "0-1", "--results-dir", tmp_path) == 4


def raise_always(*_: object, **__: object) -> Iterator[Prediction]:
    raise SystemFailedError("never works")


def test_several_systems_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--system", "constant", "--system", "lookup", "--results-dir", tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["system"] for row in found] == ["constant", "lookup"]
    assert all(Path(row["folder"], "run.json").is_file() for row in found)
    assert run("--system", "constant", "--results-dir", tmp_path) == 0
    assert "already complete" in capsys.readouterr().out


def test_settings_reach_the_system(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--system", "constant", "--set", "label=fear", "--results-dir", tmp_path) == 0
    assert capsys.readouterr().out.startswith("constant (label=fear) on sample, seed 0: micro F1 ")


def test_the_real_data_is_never_replaced_by_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERC_BENCH_HOME", str(tmp_path))
    monkeypatch.delenv("ERC_BENCH_DATA_DIR", raising=False)
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--system", "constant", "--results-dir", str(tmp_path / "results")])
    assert caught.value.code == 3
    assert not (tmp_path / "results").exists()


def test_a_dry_run_says_what_is_complete_and_what_is_to_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--system", "prior", "--results-dir", tmp_path) == 0
    capsys.readouterr()
    asked = ("--system", "prior", "--system", "lookup", "--results-dir", tmp_path, "--dry-run")
    assert run(*asked, "--jobs", "2") == 0
    *rows, summary = capsys.readouterr().out.splitlines()
    assert [(row[:8], " on sample, seed 0" in row) for row in rows] == [("complete", True), ("to make ", True)]
    assert summary.startswith("2 runs: 1 complete, 1 to make")
    assert summary.endswith("(of 1 no earlier run of the system on the dataset tells how long).")
    assert run("--system", "prior", "--seeds", "0-2", "--results-dir", tmp_path, "--dry-run", "--jobs", "auto") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 runs: 1 complete, 2 to make, expected to take ")
    assert run(*asked, "--json") == 0
    assert [row["state"] for row in json.loads(capsys.readouterr().out)] == ["complete", "to make"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--dataset", "nope", "--dry-run"), "a dataset must be one of"),
        (("--train-on", "nope", "--dry-run"), "a dataset must be one of"),
        (("--withhold", "nope", "--dry-run"), "a withheld label must be one of anger"),
        (("--device", "tpu"), "a device must be cpu, cuda, cuda:N, mps or auto, got 'tpu'"),
    ],
)
def test_what_cannot_run_is_refused_before_it_runs(
    asked: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--system", "tfidf-logreg", "--results-dir", str(tmp_path), *asked])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_a_plan_leaves_nothing_to_other_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('dataset = "sample"\n[[runs]]\nsystem = "prior"\n[[runs]]\nsystem = "constant"\n')
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--plan", str(plan), "--system", "lookup"])
    assert caught.value.code == 2
    assert "--system and --plan exclude each other" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--plan", str(plan), "--results-dir", str(tmp_path)])
    assert not caught.value.code
    assert capsys.readouterr().out.count("(complete, ") == 2


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_jobs_are_a_number_of_cores_or_auto(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--system", "prior", "--jobs", jobs) == 2
    assert f"jobs must be a number of cores from 1, or auto, got '{jobs}'" in capsys.readouterr().err
