"""A coverage-guided fuzzer over everything that reads what others wrote: `make fuzz`.

    python tests/fuzz/fuzz.py --runs 1000 --seconds 60 [--only NAME]

Each target gets a process, valid inputs to begin with, at most so many inputs and so much time. An input that ends in
anything but a refusal in words is kept in `fuzz-crashes/`, and the command ends with 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CRASHES = Path("fuzz-crashes")


def fuzz(name: str, runs: int, seconds: int) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    sys.path.insert(0, str(HERE))
    with atheris.instrument_imports(include=["erc_bench"]):
        import targets

    folder = Path(tempfile.mkdtemp(prefix="erc-bench-fuzz-"))
    seeds, words = folder / "seeds", folder / "words.dict"
    seeds.mkdir()
    for number, seed in enumerate(targets.TARGETS[name].seeds):
        (seeds / str(number)).write_bytes(seed)
    quoted = ("".join(f"\\x{byte:02x}" for byte in piece[:64]) for piece in targets.pieces())
    words.write_text("".join(f'"{piece}"\n' for piece in quoted))
    place = folder / "files"
    place.mkdir()
    CRASHES.mkdir(exist_ok=True)
    options = [f"-runs={runs}", f"-max_total_time={seconds}", "-max_len=8192", f"-dict={words}", "-seed=1"]
    prefix = f"-artifact_prefix={CRASHES}/{re.sub(r'[^a-z]+', '-', name.lower())}-"
    atheris.Setup(
        [sys.argv[0], *options, prefix, str(seeds)], lambda data: targets.try_target(name, place, data) and None
    )
    atheris.Fuzz()


def main() -> int:
    """Fuzz every target one after the other; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="inputs a target")
    parser.add_argument("--seconds", type=int, default=60, help="at most so long a target")
    parser.add_argument("--only", help="the target of this name")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        sys.stderr.write("the fuzzer needs the package atheris. Install it: pip install 'erc-bench[fuzz]'\n")
        return 2
    if chosen.here:
        fuzz(chosen.here, chosen.runs, chosen.seconds)
    sys.path.insert(0, str(HERE))
    import targets

    total, broken = 0, []
    for name in [chosen.only] if chosen.only else targets.TARGETS:
        command = [
            sys.executable,
            __file__,
            "--here",
            name,
            "--runs",
            str(chosen.runs),
            "--seconds",
            str(chosen.seconds),
        ]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        counts = [int(number) for number in re.findall(r"^#(\d+)\b", done.stderr, re.MULTILINE)]
        finished = re.search(r"Done (\d+) runs", done.stderr)
        tried = int(finished[1]) if finished else max(counts, default=0)
        total += tried
        sys.stdout.write(f"{name}: {tried} inputs, {'nothing broke' if done.returncode == 0 else 'BROKEN'}\n")
        sys.stdout.flush()
        if done.returncode:
            broken.append(name)
            sys.stderr.write(done.stderr[-3000:])
    sys.stdout.write(f"all: {total} inputs, broken: {', '.join(broken) or 'none'}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
