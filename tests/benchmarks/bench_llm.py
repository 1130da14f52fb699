"""Requests a second: a served model against the paper's way, on the same model, prompts and machine in one run.

The paper's way: a transformers text-generation pipeline called with one prompt at a time, sampling among the 10
likeliest tokens in bfloat16. Ours: the harness with a vLLM server. Both ask for every utterance of the same
dialogues, with the same chat template and longest answer; loading and starting are not timed on either side.

    python tests/benchmarks/bench_llm.py [DIALOGUES]        (after make test-llm; ERC_BENCH_DATA_DIR for real prompts)
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dataset, Dialogue
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Runtime
from erc_bench.data import load_dataset
from erc_bench.progress import SilentProgress

SYSTEM = "smollm2-135m"
MAX_TOKENS = 32
PIPELINE_PROMPTS = 40  # its rate does not depend on how many follow each other


def prompts_of(dataset: Dataset, dialogues: Sequence[Dialogue]) -> list[list[dict[str, str]]]:
    """The chats that ask for every utterance."""
    cls: Any = system_class(SYSTEM)
    prompter = cls(labels=dataset.labels)._prompter()
    return [prompter.messages(dialogue, turn) for dialogue in dialogues for turn in range(len(dialogue))]


def pipeline_rate(model: Path, prompts: Sequence[list[dict[str, str]]], *, seed: int) -> float:
    """Prompts a second of a transformers pipeline called once a prompt, with the number of threads that suits it best."""
    import torch
    from transformers import pipeline, set_seed

    generator: Any = pipeline("text-generation", model=str(model), dtype=torch.bfloat16)

    def rate(threads: int, some: Sequence[list[dict[str, str]]]) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        for prompt in some:
            generator(prompt, do_sample=True, top_k=10, max_new_tokens=MAX_TOKENS, return_full_text=False)
        return len(some) / (time.perf_counter() - started)

    set_seed(seed)
    rate(1, prompts[:1])
    # On a machine that others use too, several threads wait for each other and one is faster.
    candidates = {1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1}
    best = max(candidates, key=lambda threads: rate(threads, prompts[:2]))
    return rate(best, prompts)


def served_rate(
    dataset: Dataset, dialogues: Sequence[Dialogue], *, seed: int, mode: str, endpoint: str | None
) -> float:
    """Requests a second of the harness with a vLLM server, started here unless an address is given."""
    cls: Any = system_class(SYSTEM)
    settings = {"mode": mode, "max_tokens": MAX_TOKENS, "endpoint": endpoint}
    config = build_config(cls.Config, settings, owner=SYSTEM)
    system = cls(config, labels=dataset.labels, runtime=Runtime(seed))
    targets = [target for dialogue in dialogues for target in dialogue.targets()]
    try:
        for _ in system.predict(dialogues, targets, progress=SilentProgress()):
            pass
        return float(system.report().measurements["asked_here"]["requests_per_second"])
    finally:
        system.close()


def measure(models: Path, *, dialogues: int, endpoint: str | None = None) -> dict[str, float]:
    """Both rates and their ratio on the first dialogues of the test split."""
    dataset = load_dataset("dailydialog" if os.environ.get("ERC_BENCH_DATA_DIR") else "sample")
    asked = [dialogue.without_labels() for dialogue in dataset.test[:dialogues]]
    prompts = prompts_of(dataset, asked)
    every = list(itertools.islice(prompts, 0, None, max(1, len(prompts) // PIPELINE_PROMPTS)))
    one_by_one = pipeline_rate(models / "smollm2-135m-instruct", every, seed=0)
    served = served_rate(dataset, asked, seed=0, mode="generate", endpoint=endpoint)
    return {
        "prompts": len(prompts),
        "pipeline_requests_per_second": round(one_by_one, 2),
        "served_requests_per_second": round(served, 2),
        "ratio": round(served / one_by_one, 2),
    }


if __name__ == "__main__":
    folder = Path(os.environ.get("ERC_BENCH_MODELS") or "models")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    sys.stdout.write(json.dumps(measure(folder, dialogues=count), indent=2) + "\n")
