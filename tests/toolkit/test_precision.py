from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from erc_bench.contract.config import build_config, changed_settings, config_hash, recorded
from erc_bench.toolkit import precision
from erc_bench.toolkit.encoders import (
    EncoderConfig,
    SentenceEncoderConfig,
    encode,
    load_encoder,
    resolve_encoder,
    tokenize,
)
from erc_bench.toolkit.precision import native_precision


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    native_precision.cache_clear()
    yield
    native_precision.cache_clear()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16\n", "bf16"),
        ("Features\t: fp asimd bf16\n", "bf16"),
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16_not\n", "float32"),
        (None, "float32"),
    ],
)
def test_bfloat16_is_chosen_where_the_processor_has_it(
    said: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
    if said is not None:
        (tmp_path / "cpuinfo").write_text(said)
    assert native_precision() == expected
    config = SentenceEncoderConfig()
    assert (config.precision, recorded(config)["precision"]) == (expected, expected)


@pytest.mark.parametrize(("here", "other"), [("bf16", "float32"), ("float32", "bf16")])
def test_a_title_shows_what_was_asked_for_and_not_what_the_machine_chose(
    here: str, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(f"flags: {'avx512_bf16' if here == 'bf16' else 'sse'}\n")
    assert changed_settings(SentenceEncoderConfig()) == {}
    asked = build_config(SentenceEncoderConfig, {"precision": other}, owner="toy")
    assert changed_settings(asked) == {"precision": other}


def test_runs_made_in_float32_before_there_was_a_choice_keep_their_identity() -> None:
    hashes = [config_hash(SentenceEncoderConfig(precision=p), targets="all") for p in ("float32", "bf16")]
    assert hashes[0] == config_hash(EncoderConfig(), targets="all") != hashes[1]


def test_the_parts_for_short_texts_compute_what_the_library_s_parts_do() -> None:
    """Against the same model in plain bfloat16: the rounding differs, and nothing else."""
    source = resolve_encoder("minilm")
    ours, plain, exact = load_encoder(source, "cpu", "bf16"), load_encoder(source, "cpu"), load_encoder(source, "cpu")
    plain[0].bfloat16()
    texts = ["Who left the door open again?", "Nobody here has ever eaten that."]
    for text in texts:
        ids = tokenize(exact, [text])
        found, reference, truth = (encode(model, ids)[0] for model in (ours, plain, exact))
        reference /= np.linalg.norm(reference)  # plain bfloat16 rounds lengths too, in torch 2.4 to 1.0004
        assert found @ truth > 0.999
        assert found @ truth > reference @ truth - 2e-4
    assert not any(type(module).__name__ == "Linear" for module in ours.modules())
    assert "PackedLinear" in {type(module).__name__ for module in ours.modules()}
