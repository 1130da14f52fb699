from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import pytest

from erc_bench.contract.system import Context

if TYPE_CHECKING:
    import torch

    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

DIM, LABELS = 16, 7
Which = Literal["random", "batch-hard", "all"]
WHICH: tuple[Which, ...] = ("random", "batch-hard", "all")


def network(context: Context = "dialogue", dropout: float = 0.0, **parts: Any) -> SentEmoContextNetwork:
    import torch

    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

    torch.manual_seed(0)
    return SentEmoContextNetwork(
        DIM, LABELS, heads=4, feed_forward=32, dropout=dropout, context=context, **parts
    ).eval()


def dialogues(*lengths: int) -> list[torch.Tensor]:
    import torch

    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, DIM, generator=generator) for length in lengths]


def vectors_of(made: SentEmoContextNetwork, *batch: torch.Tensor) -> list[torch.Tensor]:
    """The contextual vectors of each dialogue, computed together."""
    import torch

    lengths = [len(dialogue) for dialogue in batch]
    with torch.inference_mode():
        return list(made(torch.cat(batch), lengths)[0].split(lengths))


@pytest.mark.parametrize("context", ["dialogue", "past", "utterance"])
def test_the_layers_are_torch_s_own_without_the_padding(context: Context) -> None:
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from erc_bench.systems.sentemocontext.network import Places, sinusoids

    made, lengths = network(context), [3, 11, 1, 7]
    batch = dialogues(*lengths)
    torch.nn.init.normal_(made.encoder.speaker)
    with torch.inference_mode():
        hidden = pad_sequence([made.encoder.normalise(d) for d in batch], batch_first=True)
        hidden = hidden + 0.1 * sinusoids(11, DIM) + made.encoder.speaker[torch.arange(11) % 2]
        present = torch.arange(11) < torch.tensor(lengths)[:, None]
        hidden_from = {
            "dialogue": None,
            "past": torch.ones(11, 11, dtype=torch.bool).triu(1),
            "utterance": ~torch.eye(11, dtype=torch.bool),
        }[context]
        expected = made.encoder.layer(hidden, src_mask=hidden_from, src_key_padding_mask=~present)[present]
        found = made.encoder(torch.cat(batch), Places.of(lengths, torch.device("cpu")))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        alone = made.classifier.layer(found[:, None])[:, 0]
        logits = made.classifier.output(made.classifier.normalise(alone))
        torch.testing.assert_close(made(torch.cat(batch), lengths)[1], logits, atol=1e-5, rtol=1e-5)


def test_other_dialogues_change_no_vector_of_a_dialogue() -> None:
    import torch

    made, batch = network(), dialogues(3, 11, 1, 40)
    for dialogue, vectors in zip(batch, vectors_of(made, *batch), strict=True):
        torch.testing.assert_close(vectors, vectors_of(made, dialogue)[0], atol=1e-5, rtol=1e-5)
    first, second, other = dialogues(5, 5, 5)
    together = vectors_of(made, first, second)[0]
    torch.testing.assert_close(together, vectors_of(made, first, other)[0], atol=0, rtol=0)


@pytest.mark.parametrize("context", ["dialogue", "past", "utterance"])
def test_only_the_whole_dialogue_reads_the_future(context: Context) -> None:
    import torch

    past = context != "dialogue"
    made, (dialogue,) = network(context), dialogues(8)
    (before,) = vectors_of(made, dialogue)
    (after,) = vectors_of(made, torch.cat([dialogue[:5], -dialogue[5:]]))
    (cut,) = vectors_of(made, dialogue[:5])
    assert torch.allclose(before[:5], after[:5], atol=1e-6) is past
    assert torch.allclose(before[:5], cut, atol=1e-5) is past


def test_past_utterances_matter_and_their_order_does() -> None:
    import torch

    made, (dialogue,) = network("past"), dialogues(4)
    last = vectors_of(made, dialogue)[0][-1]
    for order in ([1, 0, 2, 3], [0, 1, 1, 3]):
        assert not torch.allclose(last, vectors_of(made, dialogue[order])[0][-1], atol=1e-6)


def test_without_context_nothing_else_is_read_and_nothing_else_changes() -> None:
    import torch

    with_context, without = network(), network("utterance")
    for name, parameter in with_context.named_parameters():
        assert torch.equal(parameter, without.get_parameter(name)), name
    (dialogue,) = dialogues(6)
    (before,) = vectors_of(without, dialogue)
    for turn in range(6):
        other = -dialogue
        other[turn] = dialogue[turn]
        torch.testing.assert_close(vectors_of(without, other)[0][turn], before[turn], atol=1e-6, rtol=0)
    alone = vectors_of(with_context, dialogue[:1])[0]
    torch.testing.assert_close(before[:1], alone, atol=1e-6, rtol=1e-5)
    gradients = without(torch.cat([dialogue, dialogue[:2]]), [6, 2])[1].sum()
    gradients.backward()
    assert all(bool(p.grad.isfinite().all()) for p in without.parameters() if p.grad is not None)


def test_without_position_codes_and_speaker_vectors_a_dialogue_is_a_set() -> None:
    import torch

    (dialogue,), order = dialogues(5), [4, 2, 0, 1, 3]
    bare = network(positions=False, speakers=0)
    torch.testing.assert_close(
        vectors_of(bare, dialogue[order])[0], vectors_of(bare, dialogue)[0][order], atol=1e-5, rtol=1e-5
    )
    for made in (network(positions=True, speakers=0), network(positions=False, speakers=2)):
        torch.nn.init.normal_(made.encoder.speaker)
        assert not torch.allclose(vectors_of(made, dialogue[order])[0], vectors_of(made, dialogue)[0][order], atol=1e-3)


def test_each_dropout_of_the_network_is_the_quick_one() -> None:
    from torch import nn

    from erc_bench.systems.sentemocontext.dropout import Dropout

    found = [m for m in network(dropout=0.3).modules() if isinstance(m, nn.Dropout)]
    assert [(type(m), m.p) for m in found] == [(Dropout, 0.3)] * 8


def test_triplets_are_balanced() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import balanced_rows

    torch.manual_seed(0)
    gold = torch.tensor([0] * 100 + [-1] * 20 + [1] * 9 + [2] * 3)[torch.randperm(132)]
    seen: Counter[int] = Counter()
    for _ in range(300):
        rows = balanced_rows(gold, 8)
        assert gold[rows].tolist() == [0] * 8 + [1] * 8 + [2] * 3
        assert len(set(rows.tolist())) == len(rows)
        seen.update(rows[:8].tolist())
    assert len(seen) == 100
    assert max(seen.values()) < 50  # 24 expected


def test_random_triplets_are_uniform_over_positives_and_negatives() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import random_triplets

    torch.manual_seed(0)
    gold = torch.tensor([0, 0, 0, 2, 4, 4])
    triplets = torch.stack(random_triplets(gold, 3000), dim=1).tolist()
    assert Counter(a for a, _, _ in triplets) == dict.fromkeys([0, 1, 2, 4, 5], 3000)
    pairs = Counter((a, p) for a, p, _ in triplets)
    assert set(pairs) == {(a, p) for a in range(6) for p in range(6) if a != p and gold[a] == gold[p]}
    assert all(count == pytest.approx(1500, rel=0.1) for (a, _), count in pairs.items() if a < 3)
    others = Counter((a, n) for a, _, n in triplets)
    assert set(others) == {(a, n) for a in (0, 1, 2, 4, 5) for n in range(6) if gold[a] != gold[n]}
    assert all(count == pytest.approx(3000 / (3 if a < 3 else 4), rel=0.15) for (a, _), count in others.items())


def test_the_triplet_loss_is_the_paper_s() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])  # unit: a and p equal, n at distance sqrt(2)
    gold = torch.tensor([1, 1, 2])
    for which in WHICH:
        assert float(BalancedTripletLoss(2.0, which)(vectors, gold)) == pytest.approx(2 - 2**0.5, abs=1e-5)
        assert float(BalancedTripletLoss(1.0, which)(vectors, gold)) == pytest.approx(0, abs=1e-6)


def test_all_triplets_are_each_of_them_once() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    torch.manual_seed(0)
    vectors, gold = torch.randn(12, 4), torch.tensor([0] * 5 + [1] * 4 + [2] * 2 + [3])
    unit = torch.nn.functional.normalize(vectors)
    losses = [
        max(float((unit[a] - unit[p]).norm() - (unit[a] - unit[n]).norm()) + 1, 0)
        for a in range(12)
        for p in range(12)
        for n in range(12)
        if a != p and gold[a] == gold[p] and gold[a] != gold[n]
    ]
    above = [loss for loss in losses if loss > 0]
    found = BalancedTripletLoss(1.0, "all")(vectors, gold)
    assert float(found) == pytest.approx(sum(above) / len(above), rel=1e-4)


def test_triplets_that_are_far_enough_apart_do_not_dilute_the_loss() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    # On the unit circle at 0, 60 and 180 degrees: d(a, p) = 1, d(a, n) = 2, d(p, n) = sqrt(3). With margin 0.9 the
    # triplet of anchor a loses 0, that of anchor p 1.9 - sqrt(3); over both the mean would be half of that.
    vectors = torch.tensor([[1.0, 0.0], [0.5, 3**0.5 / 2], [-1.0, 0.0]])
    for which in WHICH:
        loss = BalancedTripletLoss(0.9, which)(vectors, torch.tensor([1, 1, 2]))
        assert float(loss) == pytest.approx(1.9 - 3**0.5, abs=1e-5)


@pytest.mark.parametrize("gold", [[1, 1, 1], [0, 1, 2], [-1, -1, 2], []])
@pytest.mark.parametrize("which", WHICH)
def test_without_a_triplet_the_loss_is_zero(gold: list[int], which: Which) -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    vectors = torch.randn(len(gold), 2, requires_grad=True)
    loss = BalancedTripletLoss(1.0, which)(vectors, torch.tensor(gold, dtype=torch.long))
    assert loss.item() == 0


def test_who_speaks_matters_and_not_the_parity_of_the_turn() -> None:
    import torch

    made = network(speakers=3)
    torch.nn.init.normal_(made.encoder.speaker)
    (dialogue,) = dialogues(4)

    def spoken(*speakers: int) -> torch.Tensor:
        with torch.inference_mode():
            vectors: torch.Tensor = made(dialogue, [4], torch.tensor(speakers))[0]
        return vectors

    torch.testing.assert_close(spoken(0, 1, 0, 1), made(dialogue, [4])[0], atol=0, rtol=0)
    assert not torch.allclose(spoken(0, 1, 0, 1), spoken(0, 0, 1, 1), atol=1e-3)
    assert not torch.allclose(spoken(0, 1, 2, 1), spoken(0, 1, 0, 1), atol=1e-3)
    torch.testing.assert_close(spoken(0, 1, 2, 2), spoken(0, 1, 2, 7), atol=0, rtol=0)


def test_two_speakers_are_computed_alike_in_both_ways() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import Places

    made, (dialogue,) = network(), dialogues(5)
    torch.nn.init.normal_(made.encoder.speaker)
    places = Places.of([5], torch.device("cpu"))
    expected = made.encoder.speaker[places.speakers]
    torch.testing.assert_close(made.encoder._speaker_vectors(places.speakers), expected, atol=0, rtol=0)
    assert len(made.encoder(dialogue, places)) == 5
