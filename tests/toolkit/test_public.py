"""What the toolkit offers to authors of systems: its names are kept, documented, and cost nothing until they are used."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from erc_bench import toolkit

PUBLIC = {
    "embedding_cache": {
        "EmbeddingCache",
        "text_key",
    },
    "encoder_sources": {
        "EncoderConfig",
        "EncoderSource",
        "KNOWN",
        "KnownEncoder",
        "NAMES",
        "check_trained_with",
        "encoder_digests",
        "encoder_option",
        "resolve_encoder",
    },
    "encoders": {
        "BatchInvariantEncoder",
        "EncoderConfig",
        "EncoderSource",
        "KNOWN",
        "KnownEncoder",
        "NAMES",
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
    },
    "precision": {
        "Precision",
        "in_bf16",
        "native_precision",
    },
    "prompts": {
        "PromptTemplate",
        "load_prompt",
        "prompt_names",
    },
    "prototypes": {
        "ClassStatistics",
        "class_means",
        "class_statistics",
        "label_positions",
        "nearest_prototypes",
        "prototype_offset",
        "squared_distances",
    },
    "serving": {
        "ManagedServer",
        "Offer",
        "fetch_text",
        "free_port",
        "is_loopback",
        "public_url",
        "root_url",
        "served_models",
        "trusts_environment",
    },
    "threads": {
        "available_threads",
        "fixed_threads",
        "threads_option",
    },
    "training": {
        "DECISION",
        "Decision",
        "SETTINGS_FILE",
        "Schedule",
        "WEIGHTS_FILE",
        "calibrate",
        "class_weights",
        "deterministic_training",
        "gold_indices",
        "label_counts",
        "labelled_texts",
        "load_model",
        "mixed_precision",
        "one_thread",
        "prediction",
        "sampling_weights",
        "save_model",
        "turns_by_dialogue",
    },
    "triplets": {
        "Triplets",
        "draw_triplets",
    },
    "word_vectors": {
        "BinFile",
        "TrainedVectors",
        "VecFile",
        "WordVectors",
        "open_vectors",
        "read_vectors",
        "tokens",
        "train_vectors",
        "vectors_sha256",
        "write_vectors",
    },
}


def test_the_modules_that_are_public() -> None:
    assert set(toolkit.__all__) == set(PUBLIC)


@pytest.mark.parametrize("module", PUBLIC)
def test_the_names_of_a_module_and_their_documentation(module: str) -> None:
    found = importlib.import_module(f"erc_bench.toolkit.{module}")
    assert set(found.__all__) == PUBLIC[module]
    named = {name: getattr(found, name) for name in found.__all__}
    undocumented = [name for name, value in named.items() if inspect.isroutine(value) and not inspect.getdoc(value)]
    assert undocumented == []
    untyped = [
        name
        for name, value in named.items()
        if inspect.isfunction(value) and inspect.signature(value).return_annotation is inspect.Signature.empty
    ]
    assert untyped == []


def test_importing_the_toolkit_is_light() -> None:
    code = (
        f"import sys\n{''.join(f'import erc_bench.toolkit.{module};' for module in PUBLIC)}\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'gensim', 'sklearn', 'httpx', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
