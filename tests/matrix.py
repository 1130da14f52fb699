"""The tests on the lowest and the newest versions that pyproject.toml allows, on every Python that is found: `make test-matrix`.

    python tests/matrix.py [--resolve] [--python 3.12] [--which lowest|newest]

Each pair gets an environment of its own below `.matrix/`, of wheels only, and a log beside it; the environment is removed once
its tests have passed. `--resolve` installs nothing and only asks whether the versions go together. What cannot be had is named,
and counts as failed unless it is an interpreter that is not there.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
WHICH = ("lowest", "newest")
EXTRAS = ("dev", "offline")
LOWEST = re.compile(r"^([A-Za-z0-9_.-]+)>=([0-9.]+)( *;.*)?$")
SHOWN = ("torch", "numpy", "scikit-learn", "transformers")
VERSIONS = (
    f"from importlib.metadata import version; print(*(f'{{name}} {{version(name)}}' for name in {SHOWN}), sep=', ')"
)
MARKS = "not slow and not llm and not browser and not data"


def interpreter(version: str) -> str | None:
    """The Python of a version: this one, or the first that runs on the path or below pyenv."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    below = sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True)
    on_path = shutil.which(f"python{version}")
    # What pyenv puts on the path is there for every version, and runs for the chosen ones alone.
    return next((found for found in (on_path, *map(str, below)) if found and run([found, "--version"])[0]), None)


def requirements(which: str) -> list[str]:
    """What pyproject.toml asks for: as it stands, or each at its lowest version. Markers are left for pip to judge."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    asked += [line for extra in EXTRAS for line in extras[extra]]
    return asked if which == "newest" else [LOWEST.sub(r"\1==\2\3", line) for line in asked]


def run(command: Sequence[str], log: Path | None = None) -> tuple[bool, str]:
    """Whether a command succeeds, and the end of what it says; all of it goes to the log, as it is said."""
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    with open(log, "a+b") if log else tempfile.TemporaryFile() as out:  # noqa: PTH123
        out.write(f"$ {shlex.join(command)}\n".encode())
        out.flush()
        done = subprocess.run(
            command, cwd=REPOSITORY, env=one_thread, stdout=out, stderr=subprocess.STDOUT, check=False
        )
        out.seek(max(0, out.tell() - 10_000))
        said = out.read().decode("utf-8", "replace").strip().splitlines()
    return done.returncode == 0, said[-1]


def install(python: str, which: str) -> list[str]:
    """The command that installs what pyproject.toml asks for."""
    return [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *requirements(which)]


def resolve(python: str, which: str) -> tuple[bool, str]:
    """Whether the versions go together."""
    return run([*install(python, which), "--dry-run", "--ignore-installed"])


def test(python: str, version: str, which: str) -> tuple[bool, str]:
    """Whether the tests pass in an environment of these versions."""
    folder = REPOSITORY / ".matrix" / f"{version}-{which}"
    inside = str(folder / "bin" / "python")
    log = folder.with_name(f"{folder.name}.log")
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    steps = (
        [python, "-m", "venv", "--clear", str(folder)],
        install(inside, which),
        [inside, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."],
        [inside, "-m", "pip", "freeze", "--all"],
        [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto", "--dist", "loadscope", "-m", MARKS],
    )
    for step in steps:
        fine, said = run(step, log)
        if not fine:
            return False, f"{' '.join(step[1:4])}: {said}; see {log.relative_to(REPOSITORY)}"
    versions = run([inside, "-c", VERSIONS])[1]
    shutil.rmtree(folder)
    return True, f"{said.strip('= ')}; {versions}"


def main() -> int:
    """Try every pair; returns 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--python", choices=PYTHONS)
    parser.add_argument("--which", choices=WHICH)
    chosen = parser.parse_args()
    failed = False
    for version in [chosen.python] if chosen.python else PYTHONS:
        python = interpreter(version)
        for which in [chosen.which] if chosen.which else WHICH:
            if python is None:
                sys.stdout.write(f"Python {version}, {which}: not tried, no interpreter found\n")
                continue
            fine, said = resolve(python, which) if chosen.resolve else test(python, version, which)
            failed = failed or not fine
            sys.stdout.write(f"Python {version}, {which}: {'passed' if fine else 'FAILED'} ({said})\n")
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
