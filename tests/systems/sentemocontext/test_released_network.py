from __future__ import annotations

from erc_bench.systems.sentemocontext.released_network import UTTERANCES, WIDTH, new_classifier, new_encoder


def test_its_parameters_are_those_of_the_released_model() -> None:
    encoder, classifier = (sum(p.numel() for p in m.parameters()) for m in (new_encoder(), new_classifier(7)))
    assert (encoder, classifier) == (156_357_248, 2_170_887)
    assert encoder + classifier == 158_528_135


def test_shapes_are_those_of_the_released_model() -> None:
    from torch.nn import MultiheadAttention

    encoder, classifier = new_encoder(), new_classifier(7)
    assert [(m.num_heads, m.dropout) for m in classifier.modules() if isinstance(m, MultiheadAttention)] == [(16, 0.3)]
    assert (encoder.self_attn.embed_dim, encoder.self_attn.num_heads) == (5760, 24)
    assert encoder.linear1.out_features == 2048
    assert (UTTERANCES, WIDTH) == (15, 15 * 384)
