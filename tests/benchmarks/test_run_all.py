"""Each benchmark runs on hardly any data and yields its figures; what they are on real data, docs/performance.md says."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
RUN_ALL: dict[str, Any] = runpy.run_path(str(HERE / "run_all.py"))
KEYS = {
    "board": {"runs", "anew_milliseconds_a_run", "anew_times_again"},
    "bootstrap": {"times_loop", "largest_difference"},
    "embedding": {"default_texts_a_second", "bf16_times_default", "float32_times_default", "lowest_cosine"},
    "fine_tuning": {"plain_tokens_a_second", "our_tokens_a_second", "times_plain", "float32_times_plain"},
    "growth": {"load_time_exponent", "embed_memory_exponent", "train_seconds_2", "score_mib_1", "board_time_exponent"},
    "jobs": {"alone_seconds", "beside_seconds", "wall_to_ideal", "work_to_alone"},
    "scoring": {"added_mib_million", "utterances_a_second_million"},
    "startup": {"help_times_imports", "systems_list_times_imports"},
    "training": {
        "released_epoch_seconds_threads_1",
        *(f"our_epoch_seconds_threads_1_{settings}" for settings in ("default", "bf16", "fast")),
        "times_released",
    },
}


def test_every_benchmark_is_known_here() -> None:
    assert set(RUN_ALL["names"]()) == set(KEYS)


@pytest.mark.parametrize("name", sorted(set(KEYS) - {"growth", "jobs"}))
def test_a_benchmark_runs_and_yields_its_figures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ERC_BENCH_DATA_DIR", raising=False)
    RUN_ALL["main"]([name, "--tiny", "--output", str(tmp_path / "build" / "bench.json")])
    content = json.loads((tmp_path / "build" / "bench.json").read_text())
    result = content["benchmarks"][name]
    assert KEYS[name] <= set(result["figures"])
    assert set(result["limits"]) <= set(result["figures"])
    assert all(isinstance(value, int | float) for value in result["figures"].values())
    assert content["machine"]["cores"] >= 1
    printed = capsys.readouterr().out
    assert all(key in printed for key in result["figures"])


@pytest.mark.slow  # two processes that load an encoder
def test_jobs_are_measured_both_ways() -> None:
    result = RUN_ALL["run"]("jobs", tiny=True)
    assert KEYS["jobs"] <= set(result["figures"])
    assert result["figures"]["seeds"] == 2


@pytest.mark.slow  # ten processes, some of which load an encoder
def test_growth_is_measured_at_every_step() -> None:
    result = RUN_ALL["run"]("growth", tiny=True)
    assert KEYS["growth"] <= set(result["figures"])
    assert all(value > 0 for key, value in result["figures"].items() if "exponent" not in key)
