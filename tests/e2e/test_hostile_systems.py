"""Systems of a package that do what no system should cost their own rows only."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from erc_bench.records.record import find_runs

PACKAGE = Path(__file__).parents[1] / "packages" / "hostile" / "hostile.py"
HOSTILE = re.findall(r'"(hostile-[a-z-]+)"', PACKAGE.read_text("utf-8"))
QUIET = (
    "hostile-prints",
    "hostile-changes",
    "hostile-forks",
)  # what they do to others is the harm; their answers are right
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which Python takes the package as installed, and one that cannot be imported."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "hostile.py").write_bytes(PACKAGE.read_bytes())
    (folder / "hostile_import.py").write_text('raise SystemExit("\\x1b[2Jnot to be imported")\n')
    spec = importlib.util.spec_from_file_location("hostile_of_test", PACKAGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    classes = {value.info.name: name for name, value in vars(module).items() if getattr(value, "info", None)}
    about = folder / "hostile-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    lines = [f"{name} = hostile:{classes[name]}\n" for name in HOSTILE]
    (about / "entry_points.txt").write_text(
        "[erc_bench.systems]\n" + "".join(lines) + "hostile-import = hostile_import:System\n"
    )
    return folder


@pytest.fixture(scope="module")
def run(package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Every hostile system in one command, with a good one before and after."""
    folder = tmp_path_factory.mktemp("hostile")
    command = ["run", "--dataset", "sample", "--json", "--system", "lookup"]
    for name in HOSTILE:
        command += ["--system", name]
    command += ["--system", "prior"]
    return folder, erc_bench(package, folder, *command)


def erc_bench(package: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(package), "ERC_BENCH_HOME": str(folder / "home")}
    return subprocess.run(
        [sys.executable, "-c", "from erc_bench.cli import main; main()", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_each_costs_its_own_row_only(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = run
    assert done.returncode == 5, done.stderr
    complete = {run.record.system for run in find_runs(folder / "results") if run.record.status == "complete"}
    assert complete == {"lookup", "prior", *QUIET}
    assert {row["system"] for row in json.loads(done.stdout)} == complete
    failed = re.findall(r"^failed: (hostile-[a-z-]+) on sample", done.stderr, re.MULTILINE)
    assert sorted(failed) == sorted(set(HOSTILE) - set(QUIET))


def test_the_record_of_a_process_that_died_says_so(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = run
    (dead,) = [run.record for run in find_runs(folder / "results") if run.record.system == "hostile-exits-hard"]
    assert dead.status == "failed"
    assert "its process ended with status 0, 2 times" in (dead.error or "")


def test_nothing_that_they_say_reaches_the_terminal_as_it_is(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = run
    assert "Traceback" not in done.stderr
    assert CONTROL.findall(done.stdout) == []
    assert CONTROL.findall(done.stderr) == []
    assert r"\u001b[2Jprinted" in done.stderr


def test_a_good_system_beside_them_is_what_it_is_alone(
    run: tuple[Path, subprocess.CompletedProcess[str]], package: Path, tmp_path: Path
) -> None:
    folder, _ = run
    done = erc_bench(package, tmp_path, "run", "--dataset", "sample", "--system", "prior")
    assert done.returncode == 0, done.stderr
    (alone,) = tmp_path.glob("results/sample/prior/*/seed-0/predictions.jsonl")
    assert alone.read_bytes() == (folder / alone.relative_to(tmp_path)).read_bytes()


def test_no_process_and_no_temporary_file_is_left(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = run
    deadline = time.monotonic() + 10
    while (left := _processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert [path for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"] == []


def _processes_in(folder: Path) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(folder)]


def test_one_that_cannot_be_imported_hides_no_other(package: Path, tmp_path: Path) -> None:
    listed = erc_bench(package, tmp_path, "systems", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    rows = {row["name"]: row["summary"] for row in json.loads(listed.stdout)}
    assert "cannot be imported" in rows["hostile-import"]
    assert "tfidf-logreg" in rows
    assert CONTROL.findall(erc_bench(package, tmp_path, "systems", "list").stdout) == []
    shown = erc_bench(package, tmp_path, "systems", "show", "hostile-import")
    assert (shown.returncode, "Traceback" in shown.stderr) == (4, False)
    assert r"\u001b[2Jnot to be imported" in shown.stderr
