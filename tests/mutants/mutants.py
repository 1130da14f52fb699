"""Mutation testing of erc_bench/scoring: `make mutants`.

    python tests/mutants/mutants.py [--children N] [--only NAME…]

mutmut changes one thing at a time in a copy of the package under `build/mutants`, and runs the fast tests that reach it: a
mutant that no test notices survives. It leaves functions with decorators alone, so that those of the copy get theirs by
assignment. Survivors that `explained.toml` has no reason for are shown, and the command ends with 1. What was tried is kept:
the next call tries what changed, and `--only` (patterns of mutants' names) tries again.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutants"
COPIED = ("erc_bench", "systems", "prompts", "leaderboard", "tests", "pyproject.toml")
SCORING = Path("erc_bench", "scoring")
BY_ASSIGNMENT, LEFT_OUT = ("property", "cached_property"), ("cache", "lru_cache")
SURVIVED, NO_TEST = {0}, {5, 33}


class Survivor(NamedTuple):
    """A mutant that no test noticed: `limits._wilson`, and its lines before and after."""

    where: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        lines = [*(f"  - {line}" for line in self.before), *(f"  + {line}" for line in self.after)]
        return "\n".join([self.where, *lines])


def without_decorators(source: str) -> str:
    """The same module, in which `@property def size` is `def size` and then `size = property(size)`, and nothing is cached:
    mutants inherit the caches of the process that they are forked from.
    """
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for node in sorted(functions, key=lambda node: node.lineno, reverse=True):
        if len(node.decorator_list) != 1:
            continue
        decorator, indent = ast.unparse(node.decorator_list[0]), " " * node.col_offset
        if decorator in BY_ASSIGNMENT:
            lines.insert(node.end_lineno or 0, f"{indent}{node.name} = {decorator}({node.name})")
        elif decorator.partition("(")[0] not in LEFT_OUT:
            continue
        del lines[node.decorator_list[0].lineno - 1 : node.lineno - 1]
    return "\n".join(lines) + "\n"


def copy_project() -> None:
    """What has not changed keeps its time, and mutmut what it knows of it; which test reaches what is found out again."""
    changed = False
    for name in COPIED:
        for path in [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*")):
            target = COPY / path.relative_to(ROOT)
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            content = path.read_bytes()
            if path.parent == ROOT / SCORING and path.suffix == ".py":
                content = without_decorators(content.decode()).encode()
            if not target.is_file() or target.read_bytes() != content:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                changed = True
    if changed:
        (COPY / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)


def survivors(module: Path, names: list[str]) -> Iterator[Survivor]:
    """What the mutants of a module changed, from the copy that holds all of them."""
    source = module.read_text("utf-8")
    lines = source.splitlines()
    bodies = {
        node.name: [line.strip().replace(node.name, "") for line in lines[node.lineno - 1 : node.end_lineno]]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    }
    for name in names:
        mutant = name.rpartition(".")[2]
        function = mutant.rpartition("__mutmut_")[0]
        changed = [
            line
            for line in difflib.unified_diff(bodies[f"{function}__mutmut_orig"], bodies[mutant], lineterm="", n=0)
            if not line.startswith(("---", "+++", "@@"))
        ]
        before, after = (tuple(line[1:] for line in changed if line[0] == sign) for sign in "-+")
        yield Survivor(f"{module.stem}.{function.rpartition('ǁ')[2].removeprefix('x_')}", before, after)


def reason(survivor: Survivor, explained: list[dict[str, Any]]) -> str | None:
    """Why it may survive: its function and a line it makes, or a change that is the same everywhere."""
    before, after = (" ".join(lines) for lines in survivor[1:])
    for entry in explained:
        if set(survivor.after) & set(entry.get("makes", {}).get(survivor.where, ())):
            return str(entry["why"])
        for old, new in entry.get("changes", ()):
            pieces = before.split(old)
            if any(new.join([old.join(pieces[:at]), old.join(pieces[at:])]) == after for at in range(1, len(pieces))):
                return str(entry["why"])
    return None


def main() -> int:
    """Try all mutants; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--only", nargs="*", default=[], help="patterns of names")
    chosen = parser.parse_args()
    mutmut = shutil.which("mutmut", path=str(Path(sys.executable).parent))
    if mutmut is None:
        sys.stderr.write("mutation testing needs the package mutmut. Install it: pip install 'erc-bench[mutants]'\n")
        return 2
    copy_project()
    command = [mutmut, "run", "--max-children", str(chosen.children), *chosen.only]
    done = subprocess.run(command, cwd=COPY, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    if done.returncode:
        return done.returncode
    explained = tomllib.loads(Path(__file__).with_name("explained.toml").read_text("utf-8"))["explained"]
    codes, unexplained = Counter[int | None](), []
    reasons = Counter[str]()
    for module in sorted((COPY / "mutants" / SCORING).glob("*.py")):
        tried = json.loads(Path(f"{module}.meta").read_text("utf-8"))["exit_code_by_key"]
        codes.update(tried.values())
        for one in survivors(module, [name for name, code in tried.items() if code in SURVIVED | NO_TEST]):
            why = reason(one, explained)
            reasons.update([why] if why else [])
            unexplained += [] if why else [one]
    for one in unexplained:
        sys.stdout.write(f"{one}\n")
    total, survived = sum(codes.values()), sum(codes[code] for code in SURVIVED | NO_TEST)
    for why, count in reasons.most_common():
        sys.stdout.write(f"{count:5} survive: {why}\n")
    killed = total - survived - codes[None]
    sys.stdout.write(f"{total} mutants, {killed} killed, {survived} survive, {len(unexplained)} without a reason\n")
    return 1 if unexplained or codes[None] else 0


if __name__ == "__main__":
    sys.exit(main())
