"""The tests on the lowest and the newest versions that pyproject.toml allows, on every Python that is found: `make test-matrix`.

    python tests/matrix.py [--resolve] [--python 3.12] [--which lowest|newest]

Each pair gets an environment of its own below `.matrix/`. `--resolve` installs nothing and only asks whether the versions go
together. What cannot be had is named, and counts as failed unless it is an interpreter that is not there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
WHICH = ("lowest", "newest")
EXTRAS = ("dev", "offline")
LOWEST = re.compile(r"^([A-Za-z0-9_.-]+)>=([0-9.]+)$")
MARKS = "not slow and not llm and not browser and not data"


def interpreter(version: str) -> str | None:
    """The Python of a version, on the path or below pyenv."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python"))
    if sys.version.startswith(f"{version}."):
        return sys.executable
    return shutil.which(f"python{version}") or (str(found[-1]) if found else None)


def requirements(which: str) -> list[str]:
    """What pyproject.toml asks for: as it stands, or each at its lowest version."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *(name for extra in EXTRAS for name in project["optional-dependencies"][extra])]
    return asked if which == "newest" else [LOWEST.sub(r"\1==\2", line) for line in asked]


def run(command: Sequence[str]) -> tuple[bool, str]:
    """Whether a command succeeds, and the end of what it says."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, errors="replace", check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def resolve(python: str, which: str) -> tuple[bool, str]:
    """Whether the versions go together."""
    command = [python, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", *requirements(which)]
    return run(command)


def test(python: str, version: str, which: str) -> tuple[bool, str]:
    """Whether the tests pass in an environment of these versions."""
    folder = REPOSITORY / ".matrix" / f"{version}-{which}"
    inside = str(folder / "bin" / "python")
    steps = (
        [python, "-m", "venv", "--clear", str(folder)],
        [inside, "-m", "pip", "install", "--quiet", "setuptools>=80", *requirements(which)],
        [inside, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."],
        [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto", "--dist", "loadscope", "-m", MARKS],
    )
    for step in steps:
        fine, said = run(step)
        if not fine:
            return False, f"{' '.join(step[1:4])}: {said}"
    return True, said


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
