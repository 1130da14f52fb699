"""How time and memory grow with the data: loading, embedding, training, scoring and a board at 1, 2, 4 and 8 times as much.

Each measurement is a process of its own on invented dialogues of ten utterances: processor seconds of the step, the least
of three, and the peak of the whole process's memory. The exponent is the slope of a line through the logarithms: 1 means
twice the data, twice the cost. The first times a process does a step (imports, buffers) are not counted as time.

    python tests/benchmarks/bench_growth.py [--picture FILE.png]
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMITS = {
    f"{step}_{what}_exponent": ("<=", 1.05)
    for step in ("load", "embed", "train", "score", "board")
    for what in ("time", "memory")
}
SCALES = (1, 2, 4, 8)
TURNS = 10
DIALOGUES = {"load": 500, "embed": 50, "train": 250, "score": 2_500, "board": 250}
TINY = {"load": 4, "embed": 1, "train": 12, "score": 4, "board": 4}
REPEATS = 3
RUNS = 5
LABELS = ("calm", "joy", "fear", "anger")
RARE = 0.4  # words as rare as in a language: most runs of three stand once, a third of the words are the commonest


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Seconds and MiB of each step at each scale, and the exponents."""
    result: dict[str, float] = {}
    for step, dialogues in (TINY if tiny else DIALOGUES).items():
        costs: dict[str, list[float]] = {"time": [], "memory": []}
        for scale in SCALES[:2] if tiny else SCALES:
            command = [sys.executable, __file__, step, str(scale * dialogues)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            seconds, mib = json.loads(printed)
            result |= {f"{step}_seconds_{scale}": seconds, f"{step}_mib_{scale}": mib}
            costs["time"].append(seconds)
            costs["memory"].append(mib)
        for what, values in costs.items():
            result[f"{step}_{what}_exponent"] = _slope([math.log(v) for v in values])
    return result


def _slope(logarithms: list[float]) -> float:
    xs = [math.log(scale) for scale in SCALES[: len(logarithms)]]
    x_mean, y_mean = sum(xs) / len(xs), sum(logarithms) / len(xs)
    above = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, logarithms, strict=True))
    return above / sum((x - x_mean) ** 2 for x in xs)


def picture(found: dict[str, float], path: Path) -> None:
    """Time and memory of each step at each scale, relative to the first, on logarithmic axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for axis, what, title in zip(axes, ("seconds", "mib"), ("processor time", "peak memory"), strict=True):
        for step in DIALOGUES:
            values = [found[f"{step}_{what}_{scale}"] for scale in SCALES]
            axis.plot(SCALES, [value / values[0] for value in values], marker="o", label=step)
        axis.plot(SCALES, SCALES, color="grey", linestyle=":", label="exponent 1")
        axis.set(xscale="log", yscale="log", xlabel="times the data", ylabel=f"times the {title}", title=title)
        axis.set_xticks(SCALES, [str(scale) for scale in SCALES])
        axis.set_yticks(SCALES, [str(scale) for scale in SCALES])
        axis.minorticks_off()
    axes[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


# One step in a process of its own


def _text(number: int) -> str:
    chosen = random.Random(number)
    words = (f"w{min(chosen.paretovariate(RARE), 1e6):.0f}" for _ in range(4 + number % 20))
    return " ".join([*words, str(number)])


def _folder(folder: Path, dialogues: int) -> Path:
    """A corpus of invented dialogues: as many in train as in test."""
    folder.mkdir()
    settings = f'labels = {json.dumps(LABELS)}\nneutral = "calm"\nranking_metric = "micro_f1"\nlicence = "CC0"\n'
    (folder / "dataset.toml").write_text(settings)
    for split, count in (("train", dialogues), ("validation", max(2, dialogues // 10)), ("test", dialogues)):
        with (folder / f"{split}.jsonl").open("w") as file:
            for number in range(count):
                first = {"train": 0, "validation": 10**7, "test": 2 * 10**7}[split] + number * TURNS
                file.write(json.dumps({"utterances": [_utterance(first + turn) for turn in range(TURNS)]}) + "\n")
    return folder


def _utterance(number: int) -> dict[str, str]:
    return {"speaker": "AB"[number % 2], "text": _text(number), "label": LABELS[number * number % 4]}


def _load(dialogues: int, folder: Path) -> Callable[[], Any]:
    from erc_bench.data import load_dataset

    corpus = _folder(folder / "corpus", dialogues)
    return lambda: load_dataset(str(corpus))


def _embed(dialogues: int, folder: Path) -> Callable[[], Any]:
    from erc_bench.contract.system import Runtime
    from erc_bench.toolkit.encoders import SentenceEncoder
    from erc_bench.toolkit.precision import native_precision

    texts = [_text(number) for number in range(dialogues * TURNS)]
    encoder = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=folder), native_precision())
    encoder.embed(["The first text decides how batches are made."])
    return lambda: encoder._model.embed(texts)


def _train(dialogues: int, folder: Path) -> Callable[[], Any]:
    import torch

    from erc_bench.contract.domain import Dialogue, LabelSet, Utterance
    from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork
    from erc_bench.systems.sentemocontext.trainer import EmbeddedDialogues, Trainer

    torch.set_num_threads(1)
    config = SentEmoContextConfig()
    said = [tuple(Utterance("", "AB"[t % 2], LABELS[(n + t) % 4]) for t in range(TURNS)) for n in range(dialogues)]
    every = [Dialogue(str(number), utterances) for number, utterances in enumerate(said)]
    vectors = torch.nn.functional.normalize(torch.randn(dialogues * TURNS, 384), dim=1).numpy()
    data = EmbeddedDialogues.of(every, vectors, LabelSet(LABELS, "calm"), "cpu")
    network = SentEmoContextNetwork(
        384, 4, heads=config.heads, feed_forward=config.feed_forward, dropout=config.dropout, context="dialogue"
    )
    trainer = Trainer(config, network, data, torch.Generator().manual_seed(0))
    return lambda: trainer.epoch(lambda: None)


def _score(dialogues: int, folder: Path) -> Callable[[], Any]:
    import numpy as np

    from erc_bench.contract.domain import LabelSet
    from erc_bench.scoring import bootstrap, resampling

    labels = LabelSet(LABELS, "calm")
    counts = np.random.default_rng(0).poisson(0.5, (dialogues, 4, 5))

    def score() -> None:
        resampling._kept_blocks.cache_clear()  # those of small splits would be kept, and drawing is part of the cost
        found = bootstrap.estimate([counts], labels, resampling.resample_weights(dialogues))
        for metric in ("micro_f1", "macro_f1", "mcc"):
            found.interval(metric), found.replicates[metric]

    return score


def _board(dialogues: int, folder: Path) -> Callable[[], Any]:
    import os

    import erc_bench

    corpus = _folder(folder / "corpus", dialogues)
    erc_bench.run("prior", dataset=str(corpus), seeds=range(RUNS), results_dir=folder / "results")
    numbers = iter(range(100))

    def board() -> None:
        os.environ["ERC_BENCH_HOME"] = str(folder / f"home-{next(numbers)}")  # nothing is there from before
        erc_bench.leaderboard(folder / "results", dataset="corpus", data_dir=str(corpus))

    return board


def _measure(step: str, dialogues: int) -> tuple[float, float]:
    import resource

    prepared = {"load": _load, "embed": _embed, "train": _train, "score": _score, "board": _board}[step]
    with tempfile.TemporaryDirectory() as name:
        compute = prepared(dialogues, Path(name))
        compute()
        taken = []
        for _ in range(REPEATS):
            start = time.process_time()
            compute()
            taken.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return min(taken), peak / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--picture"]:
        measured = figures()
        sys.stdout.write(json.dumps(measured, indent=2) + "\n")
        picture(measured, Path(sys.argv[2]))
    else:
        sys.stdout.write(json.dumps(_measure(sys.argv[1], int(sys.argv[2]))))
