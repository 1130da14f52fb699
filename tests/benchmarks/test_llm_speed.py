"""A served model answers at least four times as many prompts a second as the paper's way."""

from __future__ import annotations

import os
import runpy
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMES = 4.0
DIALOGUES = 40


@pytest.mark.llm
@pytest.mark.slow
def test_serving_is_at_least_four_times_the_papers_way(monkeypatch: pytest.MonkeyPatch) -> None:
    python = ROOT / ".venv-vllm" / "bin" / "python"
    command = os.environ.get("ERC_BENCH_VLLM") or f"{shlex.quote(str(python))} -m vllm.entrypoints.openai.api_server"
    models = Path(os.environ.get("ERC_BENCH_MODELS") or ROOT / "models")
    if not Path(shlex.split(command)[0]).is_file() or not (models / "smollm2-135m-instruct").is_dir():
        pytest.skip("needs a vLLM environment and a model: make test-llm sets them up")
    monkeypatch.setenv("ERC_BENCH_VLLM", command)
    monkeypatch.setenv("ERC_BENCH_MODELS", str(models))
    measure = runpy.run_path(str(Path(__file__).with_name("bench_llm.py")))["measure"]
    measured = measure(models, dialogues=DIALOGUES)
    assert measured["ratio"] >= TIMES, measured
