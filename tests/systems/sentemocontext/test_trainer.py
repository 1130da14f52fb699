from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
from erc_bench.progress import SilentProgress
from erc_bench.systems.sentemocontext import trainer as module
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.trainer import EmbeddedDialogues, Trainer, logits_of
from erc_bench.toolkit.training import class_weights

if TYPE_CHECKING:
    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

SILENT = SilentProgress()
DIM, LABELS = 16, 7
LENGTHS = (5, 9, 3, 12, 7, 1)
BATCH = np.array([0, 1, 2, 3])


def data(gold: Sequence[int] | None = None, lengths: Sequence[int] = LENGTHS) -> EmbeddedDialogues:
    import torch

    count = sum(lengths)
    labels = np.random.default_rng(0).integers(0, LABELS, count) if gold is None else np.array(gold)
    vectors = torch.randn(count, DIM, generator=torch.Generator().manual_seed(1))
    speakers = torch.cat([torch.arange(length) % 2 for length in lengths])
    return EmbeddedDialogues(vectors, torch.from_numpy(labels), np.array(lengths), speakers)


def network() -> SentEmoContextNetwork:
    import torch

    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

    torch.manual_seed(0)
    return SentEmoContextNetwork(DIM, LABELS, heads=4, feed_forward=32, dropout=0.0, context="dialogue").train()


def trainer(dialogues: EmbeddedDialogues | None = None, **settings: Any) -> Trainer:
    import torch

    config = SentEmoContextConfig(**({"batch_size": 4} | settings))
    return Trainer(config, network(), dialogues or data(), torch.Generator().manual_seed(0))


def test_dialogues_lie_one_behind_the_other(sample: Dataset) -> None:
    dialogues = sample.test[:5]
    vectors = np.arange(sum(map(len, dialogues)), dtype=np.float32)[:, None]
    made = EmbeddedDialogues.of(dialogues, vectors, sample.labels, "cpu")
    assert made.vectors.data_ptr() == vectors.ctypes.data, "not copied"
    starts = np.cumsum([0, *map(len, dialogues)])
    rows = made.rows(np.array([3, 0, 3]))
    expected = [*range(starts[3], starts[4]), *range(starts[1]), *range(starts[3], starts[4])]
    assert rows.tolist() == expected
    names = [u.label for dialogue in dialogues for u in dialogue.utterances]
    assert [sample.labels.names[i] for i in made.gold.tolist()] == names


@pytest.mark.parametrize("triplets", ["random", "batch-hard", "all"])
@pytest.mark.parametrize("which", [0, 1])
def test_each_loss_reaches_the_contextual_encoder(which: int, triplets: str) -> None:
    made = trainer(triplets=triplets)
    loss = made.losses(BATCH)[which]
    loss.backward()
    for name, parameter in made.network.encoder.layer.named_parameters():
        assert parameter.grad is not None, name
    attention = made.network.encoder.layer.self_attn.in_proj_weight.grad
    assert attention is not None
    assert float(attention.abs().sum()) > 0
    classifier = [p.grad is not None for p in made.network.classifier.parameters()]
    assert all(classifier) if which == 0 else not any(classifier)


def test_the_pre_trained_classifier_stays_trainable() -> None:
    import torch

    made = trainer(pretrain_epochs=1)
    before = made.network.classifier.output.weight.clone()
    encoder_before = made.network.encoder.layer.self_attn.in_proj_weight.clone()
    made.pretrain_classifier(SILENT)
    pretrained = made.network.classifier.output.weight.clone()
    assert not torch.equal(before, pretrained)
    assert torch.equal(encoder_before, made.network.encoder.layer.self_attn.in_proj_weight), "no context yet"
    made.epoch(lambda: None)
    assert not torch.equal(pretrained, made.network.classifier.output.weight)


def test_an_epoch_returns_the_means_of_its_losses() -> None:
    made = trainer(batch_size=1, learning_rate=0.0, triplets="batch-hard")
    found = made.epoch(lambda: None)
    again = trainer(batch_size=1, triplets="batch-hard")
    losses = np.array([[loss.item() for loss in again.losses(batch)] for batch in again.batches()])
    assert found == pytest.approx(losses.mean(axis=0), rel=1e-4)


def test_dialogues_with_rare_labels_are_drawn_more_often() -> None:
    dialogues = data([0, 0, 0] * 19 + [6, 6, 6], [3] * 20)

    def share_of_rare(power: float) -> float:
        made = trainer(dialogues, sampler_power=power, batch_size=2)
        drawn = Counter(i for _ in range(20) for batch in made.batches() for i in batch.tolist())
        return drawn[19] / drawn.total()

    assert share_of_rare(1.0) == pytest.approx(0.5, abs=0.08)
    assert share_of_rare(0.0) == pytest.approx(0.05, abs=0.04)


def test_a_batch_holds_dialogues_of_like_length() -> None:
    made = trainer(data(lengths=[*range(1, 21)] * 2), batch_size=5)
    for batch in made.batches():
        lengths = made.data.lengths[batch]
        assert lengths.max() - lengths.min() <= 8


def test_rare_labels_weigh_more_in_the_cross_entropy() -> None:
    made = trainer(weight_power=0.5)
    counts = np.bincount(made.data.gold.numpy(), minlength=LABELS)
    weights = made.class_weights
    assert float(weights[counts.argmin()]) > float(weights[counts.argmax()])


def test_class_weights_can_follow_each_batch() -> None:
    import torch

    gold, logits = torch.tensor([0, 0, 0, 1, -1]), torch.randn(5, LABELS, generator=torch.Generator().manual_seed(3))
    made = trainer(weight_power=1.0, weights_from="batch")
    losses = -logits.log_softmax(dim=1)[[0, 1, 2, 3], [0, 0, 0, 1]]
    expected = (losses[:3].mean() + losses[3]) / 2  # both labels of the batch count alike, others not at all
    torch.testing.assert_close(made.cross_entropy(logits, gold, made.weights_of(gold.numpy())), expected)
    other = trainer(weight_power=1.0)
    assert not torch.allclose(other.cross_entropy(logits, gold, other.class_weights), expected)


def test_withheld_labels_are_not_trained_on() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    full = data()
    rows = full.rows(BATCH)
    withheld = int(full.gold[0])
    made = trainer(data(np.where(full.gold == withheld, -1, full.gold).tolist()), triplets="batch-hard")
    gold = made.data.gold[rows]
    kept = gold >= 0
    counts = np.bincount(made.data.gold[made.data.gold >= 0].numpy(), minlength=LABELS)
    assert 0 < kept.sum() < len(kept)
    assert counts[withheld] == 0
    weights = torch.from_numpy(class_weights(np.repeat(np.arange(LABELS), counts), LABELS, made.config.weight_power))
    triplet_loss = BalancedTripletLoss(made.config.margin, "batch-hard")
    with torch.no_grad():
        losses = torch.stack(made.losses(BATCH))
        vectors, logits = made.network(*made.data.inputs(rows, BATCH))

        def expected(labels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            cross_entropy = torch.nn.functional.cross_entropy(logits[rows], labels[rows], weights)
            return torch.stack([cross_entropy, triplet_loss(vectors[rows], labels[rows])])

        torch.testing.assert_close(losses, expected(gold, kept))
        # The same losses with the withheld rows under any label that is trained are others: this batch can tell.
        for label in np.flatnonzero(counts).tolist():
            wrong = expected(gold.where(kept, torch.tensor(label)), torch.ones_like(kept))
            assert ((wrong - losses).abs() > 1e-3).all()


def test_logits_of_many_dialogues_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(module, "UTTERANCES_A_PASS", 10)
    made, dialogues = network(), data()
    found = logits_of(made, dialogues)
    with torch.inference_mode():
        parts = dialogues.vectors.split(list(LENGTHS))
        expected = torch.cat([made(part, [len(part)])[1] for part in parts])
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_bfloat16_of_accelerators_gives_nearly_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    exact = torch.stack(trainer(triplets="batch-hard").losses(BATCH))
    monkeypatch.setattr(module, "mixed_precision", lambda device: torch.autocast(device.type, torch.bfloat16))
    made = trainer(triplets="batch-hard", pretrain_epochs=1)
    losses = torch.stack(made.losses(BATCH))
    assert losses.dtype == torch.float32
    assert not torch.equal(losses, exact)
    torch.testing.assert_close(losses, exact, atol=0.03, rtol=0.03)
    made.pretrain_classifier(SILENT)
    assert all(np.isfinite(made.epoch(lambda: None)))
    assert all(p.dtype == torch.float32 for p in made.network.parameters())


def test_speakers_are_told_apart_as_far_as_training_shows_them(sample: Dataset, mini: Dataset) -> None:
    from erc_bench.systems.sentemocontext.trainer import speaker_vectors

    def dialogue(speakers: str) -> Dialogue:
        return Dialogue("d", tuple(Utterance("Hm.", speaker) for speaker in speakers))

    assert speaker_vectors(sample.train) == speaker_vectors([]) == speaker_vectors([dialogue("A")]) == 2
    assert speaker_vectors([dialogue("AB"), dialogue("ABCA")]) == 3
    assert speaker_vectors([dialogue("ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) == 16
    made = EmbeddedDialogues.of(
        [dialogue("XYX"), dialogue("YZ")], np.zeros((5, 1), np.float32), LabelSet(("a",), None), "cpu"
    )
    assert made.speakers.tolist() == [0, 1, 0, 0, 1]


def test_bits_depend_on_the_number_of_threads_and_not_of_cores() -> None:
    # Wide enough that linear algebra shares the products among its threads.
    code = """
import os, sys
if sys.argv[1] == "one core" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
import hashlib
import torch
from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork
from erc_bench.toolkit.threads import fixed_threads
from erc_bench.toolkit.training import deterministic_training
with fixed_threads(2), deterministic_training(0):
    network = SentEmoContextNetwork(384, 7, heads=6, feed_forward=256, dropout=0.2, context="dialogue").train()
    for vectors in torch.randn(3, 240, 384):
        sum(part.square().sum() for part in network(vectors, [8] * 30)).backward()
print(hashlib.sha256(b"".join(p.grad.numpy().tobytes() for p in network.parameters())).hexdigest())
"""
    one, every = (
        subprocess.run([sys.executable, "-c", code, cores], capture_output=True, text=True, check=True).stdout
        for cores in ("one core", "every core")
    )
    assert one == every
