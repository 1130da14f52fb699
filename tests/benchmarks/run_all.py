"""Every benchmark of speed that needs no server, as a table and as JSON: ratios taken in one run on one machine.

A benchmark is a file `bench_NAME.py` here with a function `figures(*, tiny: bool) -> dict[str, float]` and the limits that
its figures should keep, `LIMITS: dict[str, tuple[">=" or "<=", float]]`.

    python tests/benchmarks/run_all.py [NAME…] [--tiny] [--output build/bench.json]       (make bench)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import runpy
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ELSEWHERE = {"llm", "coverage"}  # one needs a model server, the other is a study of intervals


def names() -> list[str]:
    """The benchmarks that can be run together."""
    return sorted({path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py")} - ELSEWHERE)


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2),
    }


def run(name: str, *, tiny: bool = False) -> dict[str, Any]:
    """One benchmark: its figures, whether they keep their limits, and how long it took."""
    module = runpy.run_path(str(HERE / f"bench_{name}.py"))
    start = time.perf_counter()
    figures = module["figures"](tiny=tiny)
    limits = {
        key: {"limit": f"{sign} {value:g}", "kept": figures[key] >= value if sign == ">=" else figures[key] <= value}
        for key, (sign, value) in module["LIMITS"].items()
    }
    return {"figures": figures, "limits": limits, "took_seconds": round(time.perf_counter() - start, 1)}


def table(results: dict[str, dict[str, Any]]) -> str:
    """The figures, a line each, those with a limit marked."""
    lines = []
    for name, result in results.items():
        lines.append(f"{name} ({result['took_seconds']:.0f} s)")
        for key, value in result["figures"].items():
            limit = result["limits"].get(key)
            verdict = f"   {limit['limit']}: {'kept' if limit['kept'] else 'NOT KEPT'}" if limit else ""
            lines.append(f"  {key:34}{value:14,.3f}{verdict}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(description="Benchmarks of speed.")
    parser.add_argument("names", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--tiny", action="store_true", help="on hardly any data: do they run?")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args(arguments)
    content: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    content["benchmarks"] = {}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for name in options.names or names():
        content["benchmarks"][name] = run(name, tiny=options.tiny)
        sys.stdout.write(table({name: content["benchmarks"][name]}))
        sys.stdout.flush()
        options.output.write_text(json.dumps(content, indent=2) + "\n")  # what is done is kept
    sys.stdout.write(f"{json.dumps(content['machine'])}\nwritten to {options.output}\n")


if __name__ == "__main__":
    main()
