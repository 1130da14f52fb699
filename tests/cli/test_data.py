from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from erc_bench.cli.data import data
from erc_bench.contract.domain import SPLITS
from erc_bench.contract.registry import DATASET_GROUP, registered
from erc_bench.data import Facts, dataset_names, download_dir, load_dataset, registry
from erc_bench.errors import DataCorruptError, DataMissingError, UnknownNameError

if TYPE_CHECKING:
    from erc_bench.contract.domain import Dataset
    from erc_bench.data import DatasetSpec
    from tests.conftest import FileServer, TinyRelease


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


@pytest.fixture
def tiny(tiny_release: TinyRelease, register: Callable[[DatasetSpec], None]) -> TinyRelease:
    """The invented release, in place of the real DailyDialog."""
    register(tiny_release.spec)
    return tiny_release


@pytest.mark.parametrize("command", ["list", "download", "verify", "audit", "labels", "new", "check", "facts"])
def test_every_command_has_an_example(command: str) -> None:
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"erc-bench data {command}" in shown.stdout


def test_list_says_what_there_is_and_how_to_get_it(home: Path) -> None:
    shown = run("list").stdout
    assert "train 11,118 dialogues, 87,170 utterances" in shown
    assert "CC BY-NC-SA 4.0" in shown
    assert "IJCNLP 2017" in shown
    assert "not downloaded: erc-bench data download dailydialog" in shown
    assert "(the package)" in shown


def test_list_says_where_it_lies(
    tiny_release: TinyRelease, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry() -> tuple[str | None, str]:
        entries = {entry["name"]: entry for entry in json.loads(run("list", "--json").stdout)}
        assert list(entries) == dataset_names()
        return entries["dailydialog"]["folder"], entries["dailydialog"]["named_by"]

    assert entry() == (None, "the download folder")
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path / "corpora"))
    assert entry() == (None, "ERC_BENCH_DATA_DIR")
    assert "not in the folder named by ERC_BENCH_DATA_DIR" in run("list").stdout
    folder = tiny_release.write_archives(download_dir("dailydialog"))
    assert entry() == (str(folder), "the download folder")
    folder = tiny_release.write_archives(tmp_path / "corpora" / "dailydialog")
    assert entry() == (str(folder), "ERC_BENCH_DATA_DIR")


def test_download_prints_only_the_folder(tiny: TinyRelease, file_server: FileServer, home: Path) -> None:
    for split in SPLITS:
        file_server.files[f"/{split}.zip"] = tiny.archives[split]
    for _ in range(2):
        result = run("download", "dailydialog", "--url", file_server.url())
        assert result.exit_code == 0
        assert result.stdout == f"{download_dir('dailydialog')}\n"
    assert "already downloaded" in result.stderr
    assert run("verify", "dailydialog").exit_code == 0
    forced = run("download", "dailydialog", "--force", "--url", file_server.url())
    assert forced.exit_code == 0
    assert len(file_server.requested) == 6


def test_download_takes_the_mirror_from_the_environment(
    tiny: TinyRelease, file_server: FileServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_server.files["/whole.zip"] = tiny.single
    monkeypatch.setenv("ERC_BENCH_DATA_URL", file_server.url("/whole.zip"))
    assert run("download", "dailydialog").exit_code == 0
    assert file_server.requested == ["/whole.zip"]


def test_download_without_a_mirror_that_has_it(file_server: FileServer, home: Path) -> None:
    result = run("download", "dailydialog", "--url", file_server.url())
    assert isinstance(result.exception, DataMissingError)
    assert "the mirror given" in str(result.exception)


def test_download_of_the_sample(home: Path) -> None:
    result = run("download", "sample")
    assert result.exit_code == 0
    assert "nothing to download" in result.stderr


@pytest.mark.parametrize("command", ["download", "verify", "audit"])
def test_an_unknown_name(command: str, home: Path) -> None:
    assert isinstance(run(command, "dalydialog").exception, UnknownNameError)


def test_verify_prints_counts_files_and_content(tiny: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = tiny.write_archives(tmp_path / "data")
    result = run("verify", "dailydialog", "--data-dir", folder)
    assert result.exit_code == 0
    rows = {line[:12].strip(): line[12:].split() for line in result.stdout.splitlines()}
    assert rows["dialogues"] == ["3", "1", "2"]
    assert rows["utterances"] == ["7", "2", "3"]
    assert rows["surprise"] == ["0", "0", "1"]
    assert rows["file"] == ["official"] * 3
    assert rows["content"] == ["ok"] * 3
    assert tiny.dataset.fingerprint in result.stdout


def test_verify_finds_all_problems(tiny: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = tiny.write_archives(tmp_path / "data")
    (folder / "train.zip").write_bytes(tiny.archives["train"][:-50])
    dialogues, emotions = tiny.texts["test"]
    (folder / "test.zip").write_bytes(tiny.archive("test", dialogues, emotions.replace(b"6", b"1")))
    result = run("verify", "dailydialog", "--data-dir", folder)
    assert isinstance(result.exception, DataCorruptError)
    assert result.exception.exit_code == 3
    assert "train.zip must be a complete zip archive" in str(result.exception)
    assert "labels anger 0, surprise 1; got anger 1, surprise 0" in str(result.exception)
    assert "not readable" in result.stdout
    assert "1, not 0" in result.stdout
    assert "differs" in result.stdout


@pytest.mark.parametrize("damaged", [False, True])
def test_verify_for_programs(damaged: bool, tiny: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = tiny.write_texts(tmp_path / "data")
    if damaged:
        (folder / "test" / "dialogues_test.txt").unlink()
    result = run("verify", "dailydialog", "--data-dir", folder, "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code != 0) is damaged
    assert report["ok"] is not damaged
    assert len(report["problems"]) == damaged
    assert report["splits"]["train"]["labels"]["fear"] == 1
    assert report["splits"]["train"]["file"] == "several"
    assert (report["splits"]["test"] is None) is damaged
    assert report["expected_fingerprint"] == tiny.dataset.fingerprint


@pytest.mark.data
def test_verify_the_real_data(dailydialog_dir: Path) -> None:
    result = run("verify", "dailydialog", "--data-dir", dailydialog_dir)
    assert result.exit_code == 0
    rows = {line[:12].strip(): line[12:].split() for line in result.stdout.splitlines()}
    assert rows["utterances"] == ["87,170", "8,069", "7,740"]
    assert rows["file"] == ["official"] * 3


@pytest.mark.parametrize(("folder", "code"), [(".", 3), ("nowhere", 3)])
def test_the_exit_code_of_missing_data(folder: str, code: int, home: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from erc_bench.cli import main; main()",
            "data",
            "verify",
            "dailydialog",
            "--data-dir",
            str(tmp_path / folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "erc-bench data download dailydialog" in done.stderr


def test_help_and_list_import_nothing_heavy(home: Path) -> None:
    script = (
        "import sys; from click.testing import CliRunner; from erc_bench.cli.data import data; "
        "assert CliRunner().invoke(data, ['list']).exit_code == 0; "
        "print([m for m in ('torch', 'numpy', 'pandas', 'requests', 'datasketch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_audit_prints_tables_and_what_the_words_mean(sample: Dataset) -> None:
    result = run("audit", "sample")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["test,", "in", "train", f"{len(sample.test)}"] in [row[:4] for row in rows]
    assert "have different labels" in result.stdout
    assert "case and white space folded" in result.stdout


def test_audit_for_programs(tiny: TinyRelease, home: Path, tmp_path: Path) -> None:
    folder = tiny.write_archives(tmp_path / "data")
    result = run("audit", "dailydialog", "--data-dir", folder, "--json")
    found = json.loads(result.stdout)
    assert found["fingerprint"] == tiny.dataset.fingerprint
    assert found["dialogues"][0] == {"of": "test", "among": "train", "total": 2, "exact": 0, "near": 0}
    assert found["conflicts"]["texts_repeated"] == 0


def test_audit_refuses_damaged_data(home: Path, tmp_path: Path) -> None:
    assert isinstance(run("audit", "dailydialog", "--data-dir", tmp_path).exception, DataMissingError)


def test_audit_against_another_corpus(home: Path) -> None:
    shown = run("audit", "sample", "--against", "sample").stdout
    rows = [line.split() for line in shown.splitlines()]
    assert ["test,", "in", "test"] in [row[:3] for row in rows]
    found = json.loads(run("audit", "sample", "--against", "sample", "--json").stdout)
    assert (found["name"], found["other"]) == ("sample", "sample")
    itself = next(row for row in found["shared"] if row["of"] == row["among"] == "test")
    assert itself["shared"] == itself["utterances"] > 0
    assert itself["dialogues_equal"] == itself["dialogues"]


def test_a_corpus_of_ones_own_is_written_checked_and_listed(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    written = run("new", folder)
    assert written.stdout.splitlines() == [
        str(folder / name) for name in ("dataset.toml", "train.jsonl", "validation.jsonl", "test.jsonl")
    ]
    checked = run("check", folder)
    assert checked.exit_code == 0
    assert "mine in" in checked.stdout
    assert run("verify", folder).exit_code == 0
    load_dataset(str(folder))
    listed = {entry["name"]: entry for entry in json.loads(run("list", "--json").stdout)}["mine"]
    assert (listed["named_by"], listed["splits"], listed["ranking_metric"]) == ("dataset.toml", {}, "weighted_f1_all")


def test_check_says_every_problem_with_file_and_line(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    run("new", folder)
    settings = folder / "dataset.toml"
    settings.write_text(settings.read_text().replace('"weighted_f1_all"', '"beauty"'))
    for split in ("train", "test"):
        file = folder / f"{split}.jsonl"
        file.write_text(file.read_text().replace('"anger"', '"rage"').replace('"Cy"', '""'))
    result = run("check", folder)
    assert isinstance(result.exception, DataCorruptError)
    assert result.exception.exit_code == 3
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"line {settings.read_text().split('ranking_metric =')[0].count(chr(10)) + 1} of {settings}",
        *(f"line {row} of {folder / split}.jsonl" for split in ("train", "test") for row in (1, 2, 3)),
    ]


@pytest.mark.parametrize("command", ["verify", "audit", "facts"])
def test_a_metric_that_does_not_exist_is_refused_with_file_and_line(command: str, home: Path, tmp_path: Path) -> None:
    run("new", tmp_path / "mine")
    settings = tmp_path / "mine" / "dataset.toml"
    settings.write_text(settings.read_text().replace('"weighted_f1_all"', '"f1"'))
    refused = run(command, tmp_path / "mine").exception
    assert isinstance(refused, DataCorruptError)
    assert f"- line 8 of {settings}: ranking_metric must be one of micro_f1, " in str(refused)


def test_facts_are_what_a_package_keeps(sample: Dataset) -> None:
    assert Facts.from_json(run("facts", "sample").stdout).fingerprint == sample.fingerprint


def test_a_broken_package_costs_its_own_entry_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**registered(DATASET_GROUP), "broken": EntryPoint("broken", "no_such_module:X", DATASET_GROUP)}
    monkeypatch.setattr(registry, "registered", lambda group: known)
    shown = run("list").stdout
    assert "broken of unknown cannot be imported from no_such_module:X" in shown
    assert "train 11,118 dialogues" in shown


def test_labels_of_corpora_meet_in_common_words(home: Path) -> None:
    printed = run("labels", "sample", "emorynlp").stdout
    joy = printed[printed.index("joy:") : printed.index("sadness:")]
    assert "sample       happiness" in joy
    assert "emorynlp     Joyful" in joy
    entries = {entry["word"]: entry for entry in json.loads(run("labels", "sample", "emorynlp", "--json").stdout)}
    assert entries["peace"]["labels"] == {"emorynlp": "Peaceful"}
    assert entries["peace"]["why"]["emorynlp"]


def test_labels_leave_out_a_damaged_folder_that_nobody_asked_for(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERC_BENCH_DATA_DIR", str(tmp_path))
    for name in ("mine", "renamed"):
        run("new", tmp_path / name)
    (tmp_path / "renamed").rename(tmp_path / "other")
    (tmp_path / "mine" / "dataset.toml").write_text("labels = calm\n")
    shown = run("labels", "--json")
    assert (shown.exit_code, len(json.loads(shown.stdout)) > 1) == (0, True)
    assert "mine\n  error      line 1 of " in shown.stderr
    assert "must be 'other', as it was asked for, got 'renamed'" in shown.stderr
    assert isinstance(run("labels", "mine").exception, DataCorruptError)


def test_labels_without_a_word_are_listed(home: Path, tmp_path: Path) -> None:
    run("new", tmp_path / "mine")
    settings = tmp_path / "mine" / "dataset.toml"
    settings.write_text(settings.read_text().replace('calm = "neutral"\n', ""))
    assert json.loads(run("labels", tmp_path / "mine", "--json").stdout)[-1]["labels"] == {"mine": ["calm"]}
