from __future__ import annotations

import pytest
import torch

from erc_bench.contract.domain import Dialogue, Utterance
from erc_bench.contract.system import Context
from erc_bench.systems.dialogue_encoder.network import DialogueNetwork, collate, load_transformer
from erc_bench.systems.dialogue_encoder.windows import Windower
from erc_bench.toolkit.encoders import resolve_encoder

TEXTS = ("i lost my keys again", "oh no", "they were in the fridge", "you are joking")


def logits(context: Context, dialogues: list[tuple[str, ...]]) -> torch.Tensor:
    encoder, tokenizer = load_transformer(resolve_encoder("minilm").folder)
    torch.manual_seed(0)
    network = DialogueNetwork(encoder, context, 3, dropout=0.1).eval()
    torch.nn.init.normal_(network.speakers.weight, std=0.1)
    made = [
        Dialogue(str(number), tuple(Utterance(text, "AB"[i % 2]) for i, text in enumerate(texts)))
        for number, texts in enumerate(dialogues)
    ]
    windows = Windower(tokenizer, context, 64, 16).windows(made)
    with torch.inference_mode():
        found: torch.Tensor = network(collate(windows, int(tokenizer.pad_token_id)))
    return found


@pytest.mark.parametrize("context", ["utterance", "past", "dialogue"])
def test_padding_changes_nothing(context: Context) -> None:
    alone = logits(context, [TEXTS])
    beside = logits(context, [TEXTS, (" ".join(TEXTS * 2),)])
    assert alone.shape == (4, 3)
    assert torch.allclose(alone, beside[:4], atol=1e-5)


def test_the_future_reaches_an_utterance_only_where_the_whole_dialogue_is_read() -> None:
    other = (*TEXTS[:3], "what a wonderful day for all of us")
    assert torch.allclose(logits("past", [TEXTS])[:3], logits("past", [other])[:3], atol=1e-5)
    assert not torch.allclose(logits("dialogue", [TEXTS])[:3], logits("dialogue", [other])[:3], atol=1e-3)


def test_the_past_reaches_an_utterance_only_where_it_is_read() -> None:
    other = ("what a wonderful day for all of us", *TEXTS[1:])
    assert torch.allclose(logits("utterance", [TEXTS])[1:], logits("utterance", [other])[1:], atol=1e-5)
    assert not torch.allclose(logits("past", [TEXTS])[1:], logits("past", [other])[1:], atol=1e-3)
