"""How long the command line takes to start, against Python importing what it is built on (click and rich).

Seconds of the clock say how long one waits; those of the processor hardly depend on who else computes.
"""

from __future__ import annotations

import resource
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


def processor_seconds() -> float:
    """Of the processes started here that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Medians of seconds, and of the ratios of commands that follow each other."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(1 if tiny else ROUNDS + 1):
        for name, arguments in COMMANDS.items():
            clock, processor = time.perf_counter(), processor_seconds()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            taken[name].append((time.perf_counter() - clock, processor_seconds() - processor))
    kept = {name: seconds if tiny else seconds[1:] for name, seconds in taken.items()}  # the first fills caches
    result = {f"{name}_seconds": median(clock for clock, _ in seconds) for name, seconds in kept.items()}
    for name in ("help", "systems_list"):
        pairs = list(zip(kept[name], kept["imports"], strict=True))
        result[f"{name}_times_imports"] = median(ours[0] / theirs[0] for ours, theirs in pairs)
        result[f"{name}_times_imports_processor"] = median(ours[1] / theirs[1] for ours, theirs in pairs)
    return result
