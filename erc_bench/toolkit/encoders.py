"""Sentence embeddings whose bits do not depend on how they were computed, computed once a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erc_bench.contract.config import option
from erc_bench.contract.system import Runtime
from erc_bench.errors import ConfigError
from erc_bench.progress import SilentProgress
from erc_bench.toolkit.embedding_cache import EmbeddingCache
from erc_bench.toolkit.encoder_sources import (
    KNOWN,
    NAMES,
    EncoderConfig,
    EncoderSource,
    KnownEncoder,
    check_trained_with,
    encoder_digests,
    encoder_option,
    resolve_encoder,
)
from erc_bench.toolkit.precision import Precision, in_bf16, native_precision
from erc_bench.toolkit.threads import available_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from erc_bench.progress import Progress

__all__ = [
    "KNOWN",
    "NAMES",
    "BatchInvariantEncoder",
    "EncoderConfig",
    "EncoderSource",
    "KnownEncoder",
    "SentenceEncoder",
    "SentenceEncoderConfig",
    "check_trained_with",
    "encode",
    "encoder_digests",
    "encoder_option",
    "load_encoder",
    "pick_device",
    "resolve_encoder",
    "tokenize",
]

BATCH_SIZE = 32
FILLED_BATCH_SIZE = 8
TOKENS_A_BATCH = 1536  # in bfloat16: weights are read seldom, and what a batch costs besides its products weighs little
TEXTS_A_SHARD = 512
PROBE_TEXT = "How are you today, and what would you like to do when all of this is over and we can go home?"


@dataclass(frozen=True)
class SentenceEncoderConfig(EncoderConfig):
    """Settings of a system on frozen sentence embeddings."""

    precision: Precision = option(
        native_precision,
        "arithmetic of the sentence embeddings; bf16 unless this machine would have to emulate it",
        before="float32",
    )


def pick_device(wanted: str) -> str:
    """A torch device name for `Runtime.device`: "auto" is an accelerator if there is one, else the CPU.

    Raises
    ------
    ConfigError
        This machine has no such device.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = wanted.partition(":")
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind in there and int(number or 0) >= there[kind]:
        raise ConfigError(
            f"the device must be one that torch finds here, got {wanted!r} where there are {there['cuda']} CUDA devices and "
            f"{'an' if there['mps'] else 'no'} MPS device. Use --device cpu, or auto."
        )
    return wanted


def load_encoder(source: EncoderSource, device: str, precision: Precision = "float32") -> SentenceTransformer:
    """The encoder as a module in evaluation mode, without reaching for the network. In bf16 it takes no padding."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # it would say "Loading weights" for a tenth of a second
    try:
        model = SentenceTransformer(
            str(source.folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": torch.float32, "use_safetensors": True},
        )
    finally:
        if bars:
            logging.enable_progress_bar()
    return in_bf16(model.eval()) if precision == "bf16" else model.eval()


def tokenize(model: SentenceTransformer, texts: Sequence[str], max_length: int | None = None) -> list[list[int]]:
    """Token ids of each text, cut at `max_length` tokens or where the encoder ends."""
    tokenizer: Any = model.tokenizer
    limit = min(max_length or model.max_seq_length or 512, model.max_seq_length or 512)
    stripped = [text.strip() for text in texts]
    ids: list[list[int]] = tokenizer(stripped, truncation=True, max_length=limit, return_attention_mask=False)[
        "input_ids"
    ]
    return ids


def encode(model: SentenceTransformer, batch: list[list[int]]) -> NDArray[np.float32]:
    """Sentence embeddings of token ids that all have one length: float32 (texts, dim)."""
    import numpy as np
    import torch

    with torch.inference_mode():
        ids = torch.tensor(batch, device=model.device)
        vectors = model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"]
        return np.asarray(vectors.float().cpu().numpy(), np.float32)


def _same_length_batches(ids: Sequence[Sequence[int]], largest: Callable[[int], int]) -> list[list[int]]:
    """Positions by batch; `largest` says how many texts of a number of tokens one may hold."""
    by_length: dict[int, list[int]] = {}
    for index, tokens in enumerate(ids):
        by_length.setdefault(len(tokens), []).append(index)
    return [
        group[start : start + largest(length)]
        for length, group in sorted(by_length.items())
        for start in range(0, len(group), largest(length))
    ]


class BatchInvariantEncoder:
    """Computes sentence embeddings whose bits do not depend on what else is computed with them or beside them.

    A batch holds texts of one length (no padding), and texts of the same tokens are computed once. On the CPU one thread
    computes a batch, several batches at a time, and a probe decides how batches are made: of any size, where the size of
    a batch does not matter; else filled up to one size, where the place in a batch does not matter; else one text each.
    On other devices batches are filled up.

    Parameters
    ----------
    max_length
        Tokens at which texts are cut; None: where the encoder ends.
    tokens_a_batch
        Where batches may have any size, how many tokens they hold at most; None: as many texts, whatever their length.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        device: str,
        *,
        max_length: int | None = None,
        tokens_a_batch: int | None = None,
    ) -> None:
        self.model, self.device, self.max_length, self.tokens_a_batch = model, device, max_length, tokens_a_batch

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Sentence embeddings, float32 (texts, dim), of one text or more."""
        import numpy as np

        rows, vectors = zip(*self.batches(texts), strict=True)
        order = np.argsort(np.concatenate(rows))
        return np.asarray(np.concatenate(vectors)[order])

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Positions of texts and their embeddings, float32 (positions, dim), as they are computed; each text once."""
        import numpy as np

        where: dict[tuple[int, ...], list[int]] = {}
        for position, tokens in enumerate(tokenize(self.model, texts, self.max_length)):
            where.setdefault(tuple(tokens), []).append(position)
        ids, positions = [list(tokens) for tokens in where], list(where.values())
        size, filled = self.batching
        batches = _same_length_batches(ids, self._any_size if not filled and size > 1 else lambda _: size)
        rows = [[ids[i] for i in batch] for batch in batches]
        computed = self._forward([_filled(batch, size) for batch in rows] if filled else rows)
        for batch, vectors in zip(batches, computed, strict=True):
            counts = [len(positions[i]) for i in batch]
            yield [p for i in batch for p in positions[i]], np.repeat(vectors[: len(batch)], counts, axis=0)

    def _any_size(self, length: int) -> int:
        return BATCH_SIZE if self.tokens_a_batch is None else max(1, self.tokens_a_batch // length)

    def _forward(self, batches: Sequence[list[list[int]]]) -> Iterator[NDArray[np.float32]]:
        import torch

        if self.device != "cpu":
            yield from map(partial(encode, self.model), batches)
            return
        threads = torch.get_num_threads()
        executor = ThreadPoolExecutor(available_threads(), initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from executor.map(partial(encode, self.model), batches)
        finally:
            executor.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)

    @cached_property
    def batching(self) -> tuple[int, bool]:
        """Texts in a batch at most, and whether smaller batches are filled up to that number."""
        if self.device != "cpu":
            return BATCH_SIZE, True
        ids = tokenize(self.model, [PROBE_TEXT])[0]
        rotated = [[*ids[shift:], *ids[:shift]] * 3 for shift in range(len(ids))]
        probes = [[tokens[:length] for tokens in rotated] for length in (4, len(ids), 3 * len(ids))]
        if all(self._size_does_not_matter(rows) for rows in probes):
            return BATCH_SIZE, False
        if all(self._place_does_not_matter(rows[:FILLED_BATCH_SIZE]) for rows in probes):
            return FILLED_BATCH_SIZE, True
        return 1, False

    def _size_does_not_matter(self, rows: list[list[int]]) -> bool:
        largest = list(islice(cycle(rows), self._any_size(len(rows[0]))))
        few, most, many, *alone = self._forward([rows[:3], largest, rows, *([row] for row in rows)])
        same = all((vector[0] == many[i]).all() for i, vector in enumerate(alone))
        shared = min(len(largest), len(rows))
        return same and bool((few == many[:3]).all() and (most[:shared] == many[:shared]).all())

    def _place_does_not_matter(self, rows: list[list[int]]) -> bool:
        forward, backward, *filled = self._forward([rows, rows[::-1], *(_filled([row], len(rows)) for row in rows)])
        same = all((vectors == forward[i]).all() for i, vectors in enumerate(filled))
        return same and bool((backward[::-1] == forward).all())


def _filled(batch: list[list[int]], size: int) -> list[list[int]]:
    return batch + batch[:1] * (size - len(batch))


class SentenceEncoder:
    """A frozen sentence encoder with its cache: float32 vectors, computed once a text (in bfloat16 where asked).

    The vector of a text has the same bits however the cache was filled (see `BatchInvariantEncoder`), so a run that was
    killed and resumed sees the same vectors as an unbroken one.

    Parameters
    ----------
    name
        As for `resolve_encoder`. Weights are looked for at first use.
    runtime
        Device, whether the network may be used, and `cache_dir`: vectors are kept in its folder `embeddings`.
    precision
        Arithmetic of the encoder, "bf16" or "float32"; each has vectors of its own.
    """

    def __init__(self, name: str, runtime: Runtime, precision: Precision = "float32") -> None:
        self.name, self.runtime, self.precision = name, runtime, precision

    @cached_property
    def source(self) -> EncoderSource:
        """Where the weights are and what they are."""
        return resolve_encoder(self.name, offline=self.runtime.offline)

    @cached_property
    def device(self) -> str:
        """The torch device that embeddings are computed on."""
        return pick_device(self.runtime.device)

    @cached_property
    def cache(self) -> EmbeddingCache:
        """Vectors that are known, also from earlier runs."""
        folder = None
        if self.runtime.cache_dir is not None:
            way = self.device.split(":")[0]  # another kind of device rounds differently
            if self.precision != "float32":
                way += f"-{self.precision}"
            model = f"{Path(self.source.name).name}-{self.source.identity[:16]}"
            folder = self.runtime.cache_dir / "embeddings" / f"{model}-{way}"
        return EmbeddingCache(folder, self.source.dim)

    def embed(self, texts: Sequence[str], *, progress: Progress | None = None) -> NDArray[np.float32]:
        """Sentence embeddings, float32 (texts, dim); each distinct text that the cache lacks is computed once."""
        progress = progress or SilentProgress()
        if self.cache.missing(texts):
            self.cache.refresh(progress)
        if self.cache.missing(texts):
            with self.cache.filling(progress):
                missing = self.cache.missing(texts)
                with progress.task(f"Embedding with {self.source.name}", total=len(missing), unit="texts") as task:
                    for part, vectors in self._compute(missing):
                        self.cache.add(part, vectors)
                        task.advance(len(part))
        return self.cache.rows(texts)

    def _compute(self, texts: Sequence[str]) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        import numpy as np

        part: list[str] = []
        blocks: list[NDArray[np.float32]] = []
        for rows, vectors in self._model.batches(texts) if texts else ():
            part += [texts[i] for i in rows]
            blocks.append(vectors)
            if len(part) >= TEXTS_A_SHARD:
                yield part, np.concatenate(blocks)
                part, blocks = [], []
        if part:
            yield part, np.concatenate(blocks)

    @cached_property
    def _model(self) -> BatchInvariantEncoder:
        model = load_encoder(self.source, self.device, self.precision)
        tokens = TOKENS_A_BATCH if self.precision == "bf16" else None
        return BatchInvariantEncoder(model, self.device, tokens_a_batch=tokens)
