"""Table 6: sizes and parameters, measured from the files of the models. No model is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import Dataset
from erc_bench.errors import ModelUnavailableError, UsageError
from erc_bench.paper.measure import Measurements, measured_by
from erc_bench.paper.model import Column, Line, Table
from erc_bench.paper.published import paper_tables
from erc_bench.paper.tables import AS_DESCRIBED, SEC

COLUMNS = (
    Column("sequence", "Seq. length", "count"),
    Column("tokens", "Tokens"),
    Column("dimensions", "Dimensions", "count"),
    Column("size", "Size"),
    Column("parameters", "Parameters", "count"),
    Column("layers", "Tr. layers", "count"),
)
BLOCKS = {
    "all-MiniLM-L6-v2": "Pre-trained sentence Transformers",
    "all-mpnet-base-v2": "Pre-trained sentence Transformers",
    SEC: "Ours",
}
LLM_BLOCK = "State-of-the-art LLMs"
HUB = {
    "all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2",
    "all-mpnet-base-v2": "sentence-transformers/all-mpnet-base-v2",
    "Llama-2-7b-chat-hf": "meta-llama/Llama-2-7b-chat-hf",
    "Llama-2-13b-chat-hf": "meta-llama/Llama-2-13b-chat-hf",
    "falcon-7b-instruct": "tiiuae/falcon-7b-instruct",
}
FLOAT32 = 4
MIB = 2**20

# The released code (commit 0e93e5e): one encoder layer over whole dialogues, and one before the linear classifier.
UTTERANCES, EMBEDDING, FEED_FORWARD, CLASSES = 15, 384, 2048, 7


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What the files of a model say. `size` is that of its weights in bytes; None where the files do not tell."""

    sequence: int | None
    dimensions: int | None
    feed_forward: int | None
    size: int
    parameters: int
    layers: int | None


def encoder_layer_parameters(width: int, feed_forward: int) -> int:
    """Parameters of a Transformer encoder layer: attention, feed-forward network, two layer norms, all with biases."""
    attention = 4 * (width * width + width)
    network = 2 * width * feed_forward + feed_forward + width
    return attention + network + 4 * width


def released_parameters() -> tuple[int, int]:
    """Parameters of the released contextual encoder and of its classifier."""
    encoder = encoder_layer_parameters(UTTERANCES * EMBEDDING, FEED_FORWARD)
    classifier = encoder_layer_parameters(EMBEDDING, FEED_FORWARD) + EMBEDDING * CLASSES + CLASSES
    return encoder, classifier


def measure_folder(folder: Path) -> ModelSize:
    """Measure a model in the Hugging Face layout from its config and the headers of its safetensors files.

    Raises
    ------
    ModelUnavailableError
        No safetensors file or no readable config.json.
    """
    from safetensors import SafetensorError, safe_open

    weights = sorted(folder.glob("model*.safetensors"))
    parameters = 0
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for path in weights:
            with safe_open(path, framework="numpy") as file:
                slices = [file.get_slice(key) for key in file.keys()]  # noqa: SIM118 - not a mapping
                parameters += sum(prod(s.get_shape()) for s in slices if s.get_dtype().startswith(("F", "BF")))
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelUnavailableError(f"{folder} must hold a model in the Hugging Face layout, got {error}.") from None
    if not weights:
        raise ModelUnavailableError(f"{folder} must hold the weights as model*.safetensors, got none.")
    return ModelSize(
        sequence=_sequence(folder, config),
        dimensions=config.get("hidden_size"),
        feed_forward=config.get("intermediate_size"),
        size=sum(path.stat().st_size for path in weights),
        parameters=parameters,
        layers=config.get("num_hidden_layers"),
    )


def _sequence(folder: Path, config: Mapping[str, Any]) -> int | None:
    limits = folder / "sentence_bert_config.json"
    if limits.is_file():
        found = json.loads(limits.read_text(encoding="utf-8")).get("max_seq_length")
        if found is not None:
            return int(found)
    found = config.get("max_position_embeddings")
    return int(found) if found is not None else None


def find_model(name: str, folders: Mapping[str, Path]) -> ModelSize | None:
    """A model of Table 6 on this machine: a folder given, an installed package, the Hugging Face cache; else None."""
    if name in folders:
        return measure_folder(folders[name])
    from erc_bench.toolkit.encoders import NAMES, resolve_encoder

    try:
        return measure_folder(resolve_encoder(name, offline=True).folder if name in NAMES else _cached(HUB[name]))
    except ModelUnavailableError:
        return None


def _cached(hub: str) -> Path:
    """The folder of a model in the Hugging Face cache, of whatever commit: only its size is read."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(str(snapshot_download(hub, local_files_only=True)))
    except LocalEntryNotFoundError as error:
        raise ModelUnavailableError(f"{hub} must be in the Hugging Face cache, got none ({error}).") from None


def parse_models(pairs: tuple[str, ...]) -> dict[str, Path]:
    """Folders by model name from `NAME=FOLDER` strings.

    Raises
    ------
    UsageError
        No `=`, a name that Table 6 does not have, or not a folder.
    """
    found: dict[str, Path] = {}
    for pair in pairs:
        name, equals, folder = pair.partition("=")
        if not equals or name not in HUB:
            raise UsageError(f"--model must be NAME=FOLDER with a NAME among {', '.join(HUB)}, got {pair!r}.")
        if not Path(folder).is_dir():
            raise UsageError(f"--model must name a folder, got {folder!r}, which is none.")
        found[name] = Path(folder)
    return found


def table_6(found: Measurements, folders: Mapping[str, Path]) -> Table:
    """Model sizes: published, and measured from the files of each model that is on this machine."""
    tables = paper_tables()
    lines = []
    for name in tables.table_6:
        if name == SEC:
            continue
        model = find_model(name, folders)
        missing = f"hf download {HUB[name]}, or erc-bench paper --model {name}=FOLDER"
        lines.append(
            Line(
                BLOCKS.get(name, LLM_BLOCK),
                name,
                "",
                tables.row("table_6", name),
                _cells(model) if model else {},
                "files of the model" if model else "",
                "" if model else missing,
            )
        )
    released = sum(released_parameters())
    lines.append(
        Line(
            "Ours",
            f"{SEC}, released code",
            "",
            tables.row("table_6", SEC),
            {
                "tokens": f"{_words(found.dataset):,} words in train",
                "dimensions": f"{EMBEDDING}",
                "size": _size(released * FLOAT32),
                "parameters": f"{released:,}",
            },
            "architecture, counted",
        )
    )
    counterpart = tables.counterparts[AS_DESCRIBED]
    row = found.counterpart(counterpart)
    parameters = row.group.record.parameters if row else None
    lines.append(
        Line(
            "Ours",
            AS_DESCRIBED,
            "",
            {},
            {"parameters": f"{parameters:,}", "size": _size(parameters * FLOAT32)} if parameters else {},
            f"{measured_by(row)}, encoder included" if row and parameters else "",
            "" if parameters else counterpart.command(found.dataset.name),
        )
    )
    return Table("table-6", "Table 6: model sizes", COLUMNS, tuple(lines), _notes())


def _cells(model: ModelSize) -> dict[str, str]:
    numbers = {
        "sequence": model.sequence,
        "dimensions": model.dimensions,
        "parameters": model.parameters,
        "layers": model.layers,
    }
    cells = {name: f"{value:,}" if name == "parameters" else f"{value}" for name, value in numbers.items() if value}
    return cells | {"size": _size(model.size)}


def _size(count: int) -> str:
    return f"{count / MIB:,.1f} MiB"


def _words(dataset: Dataset) -> int:
    return sum(len(u.text.split()) for dialogue in dataset.train for u in dialogue.utterances)


def _notes() -> tuple[str, ...]:
    encoder, classifier = released_parameters()
    total = encoder + classifier
    width = UTTERANCES * EMBEDDING
    return (
        f"SentEmoContext as released: an encoder layer over {UTTERANCES} × {EMBEDDING} = {width:,} dimensions with a "
        f"feed-forward width of {FEED_FORWARD:,} has 4 × ({width:,}² + {width:,}) + 2 × {width:,} × {FEED_FORWARD:,} + "
        f"{FEED_FORWARD:,} + {width:,} + 4 × {width:,} = {encoder:,} parameters, its classifier {classifier:,}: together "
        f"{total:,}, in float32 {total * FLOAT32:,} bytes = {total * FLOAT32 / MIB:.1f} MiB. The paper prints 159M and "
        "604.8 MB. The frozen sentence encoder comes on top of both.",
        "Sequence length, dimensions and layers of the published SentEmoContext row are those of its sentence encoder "
        "all-MiniLM-L6-v2; the released code has one encoder layer over the dialogue.",
        "Measured sizes are in MiB (2^20 bytes): of the pre-trained models those of the weight files, of both SentEmoContext "
        f"rows {FLOAT32} bytes a parameter (float32). The published ones are rounded and depend on the number format. For the "
        "Llama models the published dimension, 11008, is the feed-forward width of the 7B model and not its embedding width.",
        "Tokens of the pre-trained models are stated by their publishers and not measured. For SentEmoContext the words of "
        "the training split, separated by white space, stand beside the published number.",
    )
