"""How long the command line takes to start, against Python importing what it is built on (click and rich)."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

LIMITS = {"help_times_imports": ("<=", 1.5), "systems_list_times_imports": ("<=", 2.5)}
ROUNDS = 15
COMMANDS = {
    "imports": ["-c", "import click, rich"],
    "help": ["-c", "from erc_bench.cli import main; main(['--help'])"],
    "systems_list": ["-c", "from erc_bench.cli import main; main(['systems', 'list'])"],
}


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Medians of seconds, and of the ratios of commands that follow each other."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(1 if tiny else ROUNDS + 1):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - start)
    kept = {name: seconds if tiny else seconds[1:] for name, seconds in taken.items()}  # the first fills caches
    result = {f"{name}_seconds": median(seconds) for name, seconds in kept.items()}
    for name in ("help", "systems_list"):
        result[f"{name}_times_imports"] = median(a / b for a, b in zip(kept[name], kept["imports"], strict=True))
    return result
