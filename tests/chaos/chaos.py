"""Faults on the real command line, and what must be true after each: `make chaos`.

    python tests/chaos/chaos.py --kills 200 --seed 0 --report docs/reliability.md

Commands are killed at random moments, told to stop in every way, starved of disk, terminal, home and time, and started many
at once. After each fault the same command must complete, leave the bytes of an undisturbed run, and leave nothing else.
"""

from __future__ import annotations

import argparse
import platform
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from faults import FAULTS, PRIOR
from ground import Check, Ground, boards_of, copies_of, download_of, must, results_of

MARKS = ("<!-- chaos: begin -->", "<!-- chaos: end -->")
SMALL = ("--set", "epochs=1", "--set", "pretrain_epochs=1", "--set", "batch_size=8")


@dataclass(frozen=True)
class Operation:
    """A command that is killed: `resets` are the folders that a new attempt begins without, `weight` its share of kills."""

    name: str
    command: tuple[str, ...]
    check: Check
    resets: tuple[str, ...]
    weight: float
    kills_in_a_row: int = 4


OPERATIONS = (
    Operation("download", ("data", "download", "chaos"), download_of, ("home/data",), 0.2),
    Operation(
        "run of a system that learns nothing",
        ("run", "--system", "prior", "--dataset", "sample", "--seeds", "0-2"),
        results_of,
        ("results",),
        0.2,
    ),
    Operation(
        "training, prediction, finishing",
        ("run", "--system", "tfidf-logreg", "--dataset", "sample"),
        results_of,
        ("results",),
        0.12,
    ),
    Operation(
        "embedding, training, prediction, embedding of test data, evidence, finishing",
        ("run", "--system", "sentemocontext", "--dataset", "sample", *SMALL),
        results_of,
        ("results", "home/cache"),
        0.13,
        6,
    ),
    Operation(
        "a complete run made again",
        ("run", "--system", "prior", "--dataset", "sample", "--seeds", "0-2", "--overwrite"),
        results_of,
        (),
        0.1,
    ),
    Operation(
        "board", ("leaderboard", "--output-dir", "board", "--format", "md,csv,html"), boards_of, ("board",), 0.15
    ),
    Operation("export", ("export", "--to", "copies"), copies_of, ("copies",), 0.1),
)


@dataclass
class Tally:
    """What was tried of one kind, and what broke."""

    tried: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def attempt(self, name: str, work: Callable[[], int]) -> None:
        """Try something that returns how often it was tried; what breaks is written down, and the rest goes on."""
        started = time.monotonic()
        try:
            self.tried[name] = self.tried.get(name, 0) + work()
        except Exception as error:
            self.tried.setdefault(name, 0)
            self.broken.append(f"{name}: {type(error).__name__}: {error}")
            sys.stderr.write(f"BROKEN {self.broken[-1]}\n")
        sys.stderr.write(f"{name}: {self.tried[name]} tried, {time.monotonic() - started:.0f} s\n")


def kill_often(ground: Ground, operation: Operation, kills: int) -> int:
    """Kill an operation at random moments, a few times in a row, then let it complete and compare; returns the kills."""
    if not (ground.folder / "results").is_dir():
        ground.run(*PRIOR)  # boards and exports need runs
    ground.clear(*operation.resets)
    started = time.monotonic()
    ground.run(*operation.command)
    lasts, expected = time.monotonic() - started, dict(operation.check(ground))
    must(expected, f"{operation.name} must leave something to compare")
    killed = missed = 0
    while killed < kills:
        must(missed < 20 + kills, f"{operation.name} must not be faster than its kills")
        if operation.resets:
            ground.clear(*operation.resets)
        for _ in range(min(operation.kills_in_a_row, kills - killed)):
            if ground.kill(*operation.command, after=ground.rng.uniform(0.02, 1.1) * lasts):
                killed += 1
            else:
                missed += 1
                lasts *= 0.9
                break
        started = time.monotonic()
        ground.run(*operation.command)
        lasts = max(0.2, 0.5 * lasts + 0.5 * (time.monotonic() - started))
        must(dict(operation.check(ground)) == expected, f"{operation.name} must end with the same bytes")
        ground.check_clean()
    return killed


class SlowFiles(BaseHTTPRequestHandler):
    """Serves the corpus in small pieces, so that a kill meets a download in the middle."""

    source: Path
    pause = 0.02

    def do_GET(self) -> None:
        """Send one file."""
        data = (self.source / self.path.lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            for start in range(0, len(data), 8192):
                self.wfile.write(data[start : start + 8192])
                time.sleep(self.pause)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


def prepare(folder: Path, seed: int) -> tuple[Ground, ThreadingHTTPServer]:
    """The corpus, its package, its server, and an empty ground."""
    site, source = folder / "site", folder / "source"
    about = site / "chaos-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "corpus.py", site / "chaos_corpus.py")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[erc_bench.datasets]\nchaos = chaos_corpus:CHAOS\n")
    write_source(source)
    handler = type("Handler", (SlowFiles,), {"source": source})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    ground = Ground(folder / "gröund of chaos", site, source, server.server_address[1], random.Random(seed))
    return ground, server


def write_source(folder: Path) -> None:
    """Write the corpus, whose module needs to know where it lies."""
    import os

    os.environ["CHAOS_SOURCE"] = str(folder)
    import corpus

    corpus.write_source(folder)


def table(kills: Tally, faults: Tally, seed: int, seconds: float) -> str:
    """What was tried, as Markdown."""
    lines = [
        f"Made by `make chaos` (seed {seed}, {seconds / 60:.0f} minutes, Python {platform.python_version()}, "
        f"{platform.system()}).",
        "",
        "| killed with -9, at random moments | kills | broken promises |",
        "|---|---:|---:|",
        *_rows(kills),
        f"| **all** | **{sum(kills.tried.values())}** | **{len(kills.broken)}** |",
        "",
        "| other faults | tried | broken promises |",
        "|---|---:|---:|",
        *_rows(faults),
        f"| **all** | **{sum(faults.tried.values())}** | **{len(faults.broken)}** |",
    ]
    return "\n".join(lines)


def _rows(tally: Tally) -> list[str]:
    return [
        f"| {name} | {tried} | {sum(text.startswith(f'{name}: ') for text in tally.broken)} |"
        for name, tried in tally.tried.items()
    ]


def write_report(path: Path, text: str) -> None:
    """Put the tables between the marks of a page."""
    page = path.read_text(encoding="utf-8")
    begin, end = MARKS
    must(page.count(begin) == page.count(end) == 1, f"{path} must hold {begin} and {end} once")
    found = re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)
    path.write_text(found, encoding="utf-8")


def main() -> int:
    """Try everything; returns the number of broken promises, at most 100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="page whose tables are replaced")
    parser.add_argument("--only", help="names of operations and faults that hold this text")
    chosen = parser.parse_args()
    started, kills, faults = time.monotonic(), Tally(), Tally()
    with tempfile.TemporaryDirectory(prefix="erc-bench chaos ") as folder:
        ground, server = prepare(Path(folder), chosen.seed)
        for operation in OPERATIONS:
            if not chosen.only or chosen.only in operation.name:
                wanted = round(operation.weight * chosen.kills)
                kills.attempt(operation.name, partial(kill_often, ground, operation, wanted))
        for name, fault in FAULTS.items():
            if not chosen.only or chosen.only in name:
                ground.clear()
                faults.attempt(name, partial(fault, ground))
        server.shutdown()
    text = table(kills, faults, chosen.seed, time.monotonic() - started)
    sys.stdout.write(f"{text}\n")
    if chosen.report:
        write_report(chosen.report, text)
    return min(100, len(kills.broken) + len(faults.broken))


if __name__ == "__main__":
    sys.exit(main())
