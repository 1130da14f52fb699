"""What is installed: only the package erc_bench, complete, from a wheel; and a third-party system beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git tracks or would track, so that nothing stray can slip in."""
    source = tmp_path_factory.mktemp("source")
    tracked = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    output = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", output, source, cwd=source)
    return next(output.glob("*.whl"))


def test_only_erc_bench_is_in_the_wheel(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"erc_bench"}


def test_the_package_list_matches_the_disk() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    mapped = settings["package-dir"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "erc_bench").rglob("__init__.py")}
    found = {".".join(folder.parts) for folder in folders} | set(mapped)
    assert found == set(settings["packages"])
    assert all((ROOT / folder / "__init__.py").is_file() for folder in mapped.values())


def test_every_module_and_data_file_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(
            Path("erc_bench") / path.relative_to(ROOT)
            if path.parts[len(ROOT.parts)] != "erc_bench"
            else path.relative_to(ROOT)
        )
        for folder in ("erc_bench", "systems", "prompts")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "tests" not in path.parts
    } | {"erc_bench/leaderboard/published.csv"}
    assert expected - inside == set()


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a folder of its own; its dependencies come from the environment of the tests."""
    target = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, wheel, cwd=target)
    return target


def test_every_entry_point_loads_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    script = (
        "import erc_bench, sys; from erc_bench.contract.registry import system_class, system_names\n"
        f"assert erc_bench.__file__.startswith({str(installed)!r}), erc_bench.__file__\n"
        "print(*[system_class(name).__module__ for name in system_names()], sep='\\n')\n"
        "from erc_bench.data import dataset_names, dataset_spec, load_dataset\n"
        "assert {'dailydialog', 'meld', 'sample'} <= {dataset_spec(name).name for name in dataset_names()}\n"
        "assert load_dataset('sample').test"
    )
    modules = run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=str(installed)).split()
    assert modules
    assert all(module.startswith("erc_bench.systems.") for module in modules)


def test_the_installed_command_works_from_any_folder(installed: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-c", "from erc_bench.cli import main; main()")
    run(*command, "run", "--system", "constant", "--dataset", "sample", cwd=tmp_path, PYTHONPATH=str(installed))
    board = run(*command, "leaderboard", cwd=tmp_path, PYTHONPATH=str(installed))
    assert "constant" in board
    assert (tmp_path / "results" / "leaderboard.csv").is_file()


def test_a_third_party_system(tmp_path: Path) -> None:
    """`systems new` writes a package that installs, keeps the contract, runs and stands on the board."""
    bench = (sys.executable, "-c", "from erc_bench.cli import main; main()")
    run(*bench, "systems", "new", "first-word", cwd=tmp_path)
    site = tmp_path / "site"
    run(
        sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site,
        tmp_path / "first-word", cwd=tmp_path,
    )  # fmt: skip
    path = {"PYTHONPATH": str(site)}
    assert "first-word 0.1.0" in run(*bench, "systems", "list", cwd=tmp_path, COLUMNS="200", **path)
    assert "keeps the contract" in run(*bench, "systems", "check", "first-word", cwd=tmp_path, **path)
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path / "first-word", cwd=tmp_path, **path)
    run(*bench, "run", "--system", "first-word", "--dataset", "sample", cwd=tmp_path, **path)
    assert "first-word" in run(*bench, "leaderboard", cwd=tmp_path, **path)


def test_a_third_party_system_on_the_toolkit(tmp_path: Path) -> None:
    """A package of somebody else (docs/toolkit.md): encoders, class weights, calibration and saving from the toolkit."""
    site = tmp_path / "site"
    source = shutil.copytree(ROOT / "tests" / "packages" / "mood_probe", tmp_path / "mood_probe")
    run(
        sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site, source,
        cwd=tmp_path,
    )  # fmt: skip
    script = """if __name__ == "__main__":
    import erc_bench
    broken = [each for each in erc_bench.check("mood-probe", device="cpu") if each.outcome == "failed"]
    assert not broken, broken
    (run,) = erc_bench.run("mood-probe", dataset="sample", settings={"epochs": 5}, device="cpu", offline=True)
    assert {path.suffix for path in (run.folder / "model").iterdir()} == {".safetensors", ".json"}
    assert run.record.measurements["encoder_sha256"].startswith("53aa51172d14")
    erc_bench.run("prior", dataset="sample")
    pair = erc_bench.compare("mood-probe (epochs=5)", "prior")
    assert pair.comparison.difference > 0 and pair.different, pair.comparison
    """
    path = {"PYTHONPATH": str(site), "ERC_BENCH_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    run(sys.executable, "-c", script, cwd=tmp_path, **path)
