"""Faults other than kills: each a function that tries it, checks what must be true, and returns how often it was tried."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ground import COMMAND, Ground, boards_of, must, results_of

PRIOR = ("run", "--system", "prior", "--dataset", "sample", "--seeds", "0-2")
BOARD = ("leaderboard", "--output-dir", "board")


def _reference(ground: Ground) -> dict[str, str]:
    ground.clear("results")
    ground.run(*PRIOR)
    found = dict(results_of(ground))
    ground.clear("results")
    return found


def signalled(how: int) -> Callable[[Ground], int]:
    """Commands that are told to stop at random moments; half of those interrupted are told twice."""

    def work(ground: Ground) -> int:
        expected = _reference(ground)
        tried = 0
        for _ in range(8):
            tried += ground.kill(*PRIOR, after=ground.rng.uniform(0.1, 2.5), how=how)
        ground.run(*PRIOR)
        must(dict(results_of(ground)) == expected, "the same bytes")
        ground.check_clean()
        return tried

    return work


def full_disk(ground: Ground) -> int:
    """No file may grow beyond a few bytes or kilobytes: writing fails in the middle of a file."""
    expected = _reference(ground)
    for limit in (1, 100, 500, 1_000, 2_000, 4_000, 8_000, 12_000):
        ground.clear("results")

        def limited(size: int = limit) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        ground.run(*PRIOR, expected=(0, 3, 4, 5), preexec_fn=limited, stdout=subprocess.DEVNULL)
        ground.run(*PRIOR)
        must(dict(results_of(ground)) == expected, f"the same bytes after a disk of {limit} bytes")
        ground.check_clean()
    return 8


def no_folder(ground: Ground) -> int:
    """The results folder is a file, lies below one, or has a name too long."""
    ground.folder.mkdir(parents=True, exist_ok=True)
    (ground.folder / "file").write_text("here")
    for place in ("file", "file/below", "x" * 300):
        err = ground.run("run", "--system", "prior", "--dataset", "sample", "--results-dir", place, expected=(2, 3))
        must(place[:40] in err, f"the message must name {place}, got {err}")
    return 3


def vanishing_folder(ground: Ground) -> int:
    """The results are removed while a run is under way."""
    expected = _reference(ground)
    for _ in range(5):
        process = ground.start(*PRIOR)
        time.sleep(ground.rng.uniform(0.2, 2.5))
        shutil.rmtree(ground.folder / "results", ignore_errors=True)
        _, err = process.communicate(timeout=300)
        must(process.returncode in (0, 3, 4, 5), f"a documented code, got {process.returncode}: {err}")
        must("Traceback" not in err, err[-2000:])
    ground.clear("results")
    ground.run(*PRIOR)
    must(dict(results_of(ground)) == expected, "the same bytes")
    return 5


def together(count: int) -> Callable[[Ground], int]:
    """Processes that make the same runs, then the same board, at once: each waits, and finds them complete."""

    def work(ground: Ground) -> int:
        expected = _reference(ground)
        for command in (PRIOR, BOARD):
            processes = [ground.start(*command) for _ in range(count)]
            for process in processes:
                _, err = process.communicate(timeout=900)
                must(
                    process.returncode == 0, f"{command} beside others must end with 0, got {process.returncode}: {err}"
                )
        must(dict(results_of(ground)) == expected, "the same bytes")
        board = dict(boards_of(ground))
        ground.clear("board")
        ground.run(*BOARD)
        must(dict(boards_of(ground)) == board, "the same board")
        ground.check_clean()
        return 2 * count

    return work


def damaged_cache(ground: Ground) -> int:
    """Shards of the cache of embeddings that are cut, empty, foreign or of another size; two processes fill it at once."""
    command = (
        "run",
        "--system",
        "sentemocontext",
        "--dataset",
        "sample",
        "--set",
        "epochs=1",
        "--set",
        "pretrain_epochs=0",
    )
    both = [ground.start(*command, "--seed", str(seed)) for seed in (0, 1)]
    for process in both:
        _, err = process.communicate(timeout=900)
        must(process.returncode == 0, err)
    expected = dict(results_of(ground))
    shards = sorted((ground.folder / "home").rglob("*.safetensors"))
    must(shards, "there must be shards")
    shards[0].write_bytes(shards[0].read_bytes()[:-7])
    (shards[0].parent / f"{'0' * 64}.safetensors").write_bytes(b"foreign")
    (shards[0].parent / f"{'1' * 64}.safetensors").write_bytes(b"")
    for kept in (ground.folder / "home" / "cache").rglob("*"):
        if kept.is_file() and kept.parent.parent.name in ("answers", "estimates"):
            kept.write_bytes(kept.read_bytes()[:-3])
    ground.clear("results")
    for seed in (0, 1):
        ground.run(*command, "--seed", str(seed))
    must(dict(results_of(ground)) == expected, "the same bytes with a damaged cache")
    ground.check_clean()
    return 4


def jumping_clock(ground: Ground) -> int:
    """Every look at the clock jumps by up to a year, forwards and backwards."""
    expected = _reference(ground)
    site = ground.folder / "clock"
    site.mkdir(parents=True, exist_ok=True)
    (site / "sitecustomize.py").write_text(
        "import random, time\nreal, rng = time.time, random.Random(1)\n"
        "time.time = lambda: real() + rng.uniform(-3e7, 3e7)\n"
    )
    ground.extra["PYTHONPATH"] = f"{site}{os.pathsep}{ground.site}"
    try:
        for _ in range(3):
            ground.clear("results")
            ground.run(*PRIOR)
            must(dict(results_of(ground)) == expected, "the same bytes")
    finally:
        del ground.extra["PYTHONPATH"]
    return 3


def closed_streams(ground: Ground) -> int:
    """Standard output and standard error closed, one or both; a reader that leaves."""
    expected = _reference(ground)
    words = " ".join(f"'{word}'" for word in (*COMMAND, *PRIOR))
    for ending in (">&-", "2>&-", ">&- 2>&-", "| head -n 0", "2>&1 | head -n 1", "> /dev/full"):
        ground.clear("results")
        subprocess.run(
            ["bash", "-c", f"{words} {ending}"],
            cwd=ground.folder,
            env=ground.environment,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        must(dict(results_of(ground)) == expected, f"the runs must be made with {ending}")
    ground.check_clean()
    return 6


def surroundings(ground: Ground) -> int:
    """No HOME, a HOME that is not there, other locales and encodings, no terminal size, a parent that ignores signals."""
    expected = _reference(ground)
    cases: tuple[dict[str, str], ...] = (
        {"HOME": "/nonexistent"},
        {"LC_ALL": "C", "LANG": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"},
        {"COLUMNS": "1", "LINES": "1", "TERM": "dumb"},
    )
    for case in cases:
        ground.clear("results")
        ground.extra.update(case)
        try:
            ground.run(*PRIOR)
            ground.run("leaderboard", "--format", "md,csv,html,latex")
        finally:
            for name in case:
                ground.extra.pop(name)
        must(dict(results_of(ground)) == expected, f"the same bytes with {case}")
    without = {name: value for name, value in ground.environment.items() if name not in ("HOME", "USER", "PATH")}
    ground.clear("results")
    ground.run(*PRIOR, env=without)
    ground.clear("results")
    ground.run(*PRIOR, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    must(dict(results_of(ground)) == expected, "the same bytes")
    return len(cases) + 2


def removed_working_folder(ground: Ground) -> int:
    """The folder that a command is called in is gone."""
    gone = ground.folder / "gone"
    gone.mkdir(parents=True, exist_ok=True)
    script = f"cd '{gone}' && rmdir '{gone}' && " + " ".join(f"'{word}'" for word in (*COMMAND, *PRIOR))
    done = subprocess.run(
        ["bash", "-c", script], env=ground.environment, timeout=300, check=False, capture_output=True, text=True
    )
    must(done.returncode in (2, 3, 5), f"a documented code, got {done.returncode}: {done.stderr[-1000:]}")
    must("Traceback" not in done.stderr, done.stderr[-2000:])
    must(not Path(gone).exists(), "it must not come back")
    return 1


FAULTS: Mapping[str, Callable[[Ground], int]] = {
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGHUP": signalled(signal.SIGHUP),
    "Ctrl-C, half of them twice": signalled(signal.SIGINT),
    "disk full (RLIMIT_FSIZE)": full_disk,
    "a results folder that cannot be": no_folder,
    "a results folder that vanishes": vanishing_folder,
    "a working folder that vanished": removed_working_folder,
    "two processes on the same runs and board": together(2),
    "eight processes on the same runs and board": together(8),
    "a damaged cache, filled by two processes": damaged_cache,
    "a clock that jumps": jumping_clock,
    "closed output, a reader that leaves, /dev/full": closed_streams,
    "no HOME, locales, encodings, ignored signals": surroundings,
}
