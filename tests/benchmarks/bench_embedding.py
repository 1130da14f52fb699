"""Texts a second of our sentence embeddings, against `SentenceTransformer.encode` with its defaults, on all cores.

The same distinct texts of DailyDialog (of the sample where that is not there), the three ways one after the other in every
round. Seconds of the clock say how long one waits; those of the processor hardly depend on who else computes. Loading and
the probe of how batches are made are not timed. Another encoder, from the folder of this file:

    python -c "import bench_embedding; print(bench_embedding.figures(encoder='mpnet', texts=400))"
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from erc_bench.contract.system import Runtime
from erc_bench.data import load_dataset
from erc_bench.errors import DataError
from erc_bench.toolkit.encoders import SentenceEncoder, load_encoder

LIMITS = {"bf16_times_default": (">=", 3.0), "lowest_cosine": (">=", 0.99)}
TEXTS, ROUNDS = 2_000, 3


def distinct_texts() -> list[str]:
    """The distinct texts of the real corpus if it is there."""
    try:
        dataset = load_dataset("dailydialog")
    except DataError:
        dataset = load_dataset("sample")
    splits = (dataset.train, dataset.validation, dataset.test)
    return list(dict.fromkeys(u.text for split in splits for dialogue in split for u in dialogue.utterances))


def timed(compute: Callable[[], NDArray[np.float32]]) -> tuple[float, float, NDArray[np.float32]]:
    """Seconds of the clock and of the processor, and the vectors."""
    clock, processor = time.perf_counter(), time.process_time()
    vectors = compute()
    return time.perf_counter() - clock, time.process_time() - processor, vectors


def figures(
    *, tiny: bool = False, texts: int = TEXTS, rounds: int = ROUNDS, encoder: str = "minilm"
) -> dict[str, float]:
    """Medians over the rounds: rates, their ratios to the default's, and how close the vectors are to float32's."""
    found = distinct_texts()
    rounds, texts = (1, 20) if tiny else (rounds, min(texts, len(found)))
    default = load_encoder(SentenceEncoder(encoder, Runtime(device="cpu")).source, "cpu")
    encoders = {name: SentenceEncoder(encoder, Runtime(device="cpu"), name) for name in ("float32", "bf16")}
    for each in encoders.values():
        each.embed(["The first text decides how batches are made."])
    default.encode(found[:8])
    seconds: dict[str, list[tuple[float, float]]] = {"default": [], "float32": [], "bf16": []}
    cosines: list[NDArray[np.float32]] = []
    for turn in range(rounds):
        chosen = random.Random(turn).sample(found, texts)
        vectors = {}
        for name in ("default", *encoders):
            encode = default.encode if name == "default" else encoders[name]._model.embed
            clock, processor, vectors[name] = timed(partial(encode, chosen))
            seconds[name].append((clock, processor))
        cosines.append((vectors["bf16"] * vectors["float32"]).sum(axis=1))
    result: dict[str, float] = {"texts_a_round": texts}
    for name, taken in seconds.items():
        result[f"{name}_texts_a_second"] = texts / median(clock for clock, _ in taken)
    for name in encoders:
        pairs = list(zip(seconds["default"], seconds[name], strict=True))
        result[f"{name}_times_default"] = median(theirs[0] / ours[0] for theirs, ours in pairs)
        result[f"{name}_times_default_processor"] = median(theirs[1] / ours[1] for theirs, ours in pairs)
    every = np.concatenate(cosines)
    return result | {"mean_cosine": float(every.mean()), "lowest_cosine": float(every.min())}
