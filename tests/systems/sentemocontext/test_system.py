from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction, Runtime
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.systems.sentemocontext.system import SentEmoContext, SentEmoContextConfig, _Trainer, _TrainingData
from erc_bench.toolkit.training import class_weights

if TYPE_CHECKING:
    import torch

    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

SILENT = SilentProgress()
SMALL: dict[str, Any] = {"epochs": 2, "pretrain_epochs": 1, "feed_forward": 32, "heads": 4}
DIM, LABELS = 16, 7


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def build(sample: Dataset, cache: Path, **settings: Any) -> SentEmoContext:
    config = SentEmoContextConfig(**(SMALL | settings))
    return SentEmoContext(config, labels=sample.labels, runtime=Runtime(device="cpu", cache_dir=cache))


@pytest.fixture(scope="module")
def system(sample: Dataset, cache: Path) -> SentEmoContext:
    made = build(sample, cache)
    made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    return made


def network(past: bool = False) -> SentEmoContextNetwork:
    import torch

    from erc_bench.systems.sentemocontext.network import SentEmoContextNetwork

    torch.manual_seed(0)
    return SentEmoContextNetwork(DIM, LABELS, heads=4, feed_forward=32, dropout=0.0, past=past).eval()


def dialogues(*lengths: int) -> list[torch.Tensor]:
    import torch

    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, DIM, generator=generator) for length in lengths]


def trainer(**settings: Any) -> _Trainer:
    import torch

    config = SentEmoContextConfig(**({"batch_size": 4} | settings))
    generator = np.random.default_rng(0)
    gold = [generator.integers(0, LABELS, length) for length in (5, 9, 3, 12, 7, 1)]
    data = _TrainingData(dialogues(*map(len, gold)), gold)
    return _Trainer(config, network().train(), data, LABELS, torch.Generator().manual_seed(0))


def answers(system: SentEmoContext, asked: list[Dialogue], targets: list[Target]) -> dict[Target, Prediction]:
    return {p.target: p for p in system.predict([d.without_labels() for d in asked], targets, progress=SILENT)}


def all_targets(asked: list[Dialogue]) -> list[Target]:
    return [target for dialogue in asked for target in dialogue.targets()]


@pytest.mark.parametrize("triplets", ["random", "batch-hard"])
@pytest.mark.parametrize("which", [0, 1])
def test_each_loss_reaches_the_contextual_encoder(which: int, triplets: str) -> None:
    made = trainer(triplets=triplets)
    loss = made.losses([0, 1, 2, 3])[which]
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


def test_padding_changes_no_vector_of_a_dialogue() -> None:
    import torch

    made, batch = network(), dialogues(3, 11, 1, 40)
    with torch.inference_mode():
        together = made(batch)[0].split([len(d) for d in batch])
        for dialogue, vectors in zip(batch, together, strict=True):
            torch.testing.assert_close(vectors, made([dialogue])[0], atol=1e-5, rtol=1e-5)


def test_dialogues_of_a_batch_do_not_attend_to_each_other() -> None:
    import torch

    made, (first, second, other) = network(), dialogues(5, 5, 5)
    with torch.inference_mode():
        torch.testing.assert_close(made([first, second])[0][:5], made([first, other])[0][:5], atol=0, rtol=0)


@pytest.mark.parametrize("past", [False, True])
def test_only_the_whole_dialogue_reads_the_future(past: bool) -> None:
    import torch

    made, (dialogue,) = network(past), dialogues(8)
    changed = torch.cat([dialogue[:5], -dialogue[5:]])
    with torch.inference_mode():
        before, after = made([dialogue])[0], made([changed])[0]
        cut = made([dialogue[:5]])[0]
    assert torch.allclose(before[:5], after[:5], atol=1e-6) is past
    assert torch.allclose(before[:5], cut, atol=1e-5) is past


def test_past_utterances_matter_and_their_order_does() -> None:
    import torch

    made, (dialogue,) = network(past=True), dialogues(4)
    with torch.inference_mode():
        last = made([dialogue])[0][-1]
        for order in ([1, 0, 2, 3], [0, 1, 1, 3]):
            assert not torch.allclose(last, made([dialogue[order]])[0][-1], atol=1e-6)


def test_triplets_are_balanced() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import balanced_rows

    torch.manual_seed(0)
    gold = torch.tensor([0] * 100 + [1] * 9 + [2] * 3)
    drawn = Counter(gold[balanced_rows(gold, 8)].tolist())
    assert drawn == {0: 8, 1: 8, 2: 3}


def test_the_triplet_loss_is_the_paper_s() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])  # unit: a and p equal, n at distance sqrt(2)
    gold = torch.tensor([1, 1, 2])
    for hard in (False, True):
        assert float(BalancedTripletLoss(margin=2.0, hard=hard)(vectors, gold)) == pytest.approx(2 - 2**0.5, abs=1e-5)
        assert float(BalancedTripletLoss(margin=1.0, hard=hard)(vectors, gold)) == pytest.approx(0, abs=1e-6)


def test_triplets_that_are_far_enough_apart_do_not_dilute_the_loss() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    # On the unit circle at 0, 60 and 180 degrees: d(a, p) = 1, d(a, n) = 2, d(p, n) = sqrt(3). With margin 0.9 the
    # triplet of anchor a loses 0, that of anchor p 1.9 - sqrt(3); over both the mean would be half of that.
    vectors = torch.tensor([[1.0, 0.0], [0.5, 3**0.5 / 2], [-1.0, 0.0]])
    for hard in (False, True):
        loss = BalancedTripletLoss(margin=0.9, hard=hard)(vectors, torch.tensor([1, 1, 2]))
        assert float(loss) == pytest.approx(1.9 - 3**0.5, abs=1e-5)


@pytest.mark.parametrize("gold", [[1, 1, 1], [0, 1, 2], []])
def test_without_a_triplet_the_loss_is_zero(gold: list[int]) -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    vectors = torch.randn(len(gold), 2, requires_grad=True)
    loss = BalancedTripletLoss(margin=1.0, hard=False)(vectors, torch.tensor(gold, dtype=torch.long))
    assert loss.item() == 0


def test_dialogues_with_rare_labels_are_drawn_more_often() -> None:
    import torch

    made = trainer(sampler_power=1.0, batch_size=2)
    rare = np.array([6, 6, 6])
    made.data = _TrainingData(dialogues(*[3] * 20), [np.array([0, 0, 0])] * 19 + [rare])
    made.gold = np.concatenate(made.data.gold)
    drawn = Counter(i for _ in range(20) for batch in made.batches() for i in batch)
    assert drawn[19] / drawn.total() == pytest.approx(0.5, abs=0.08)
    made.config = replace(made.config, sampler_power=0.0)
    made.generator = torch.Generator().manual_seed(0)
    drawn = Counter(i for _ in range(20) for batch in made.batches() for i in batch)
    assert drawn[19] / drawn.total() == pytest.approx(0.05, abs=0.04)


def test_rare_labels_weigh_more_in_the_cross_entropy() -> None:
    made = trainer(weight_power=0.5)
    counts = np.bincount(made.gold, minlength=LABELS)
    weights = made.cross_entropy.weight
    assert weights is not None
    assert float(weights[counts.argmin()]) > float(weights[counts.argmax()])


def test_withheld_labels_are_not_trained_on() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    full = trainer(triplets="batch-hard")
    batch = [0, 1, 3]
    withheld = int(np.concatenate([full.data.gold[i] for i in batch])[0])
    data = _TrainingData(full.data.embeddings, [np.where(g == withheld, -1, g) for g in full.data.gold])
    made = _Trainer(full.config, full.network, data, LABELS, full.generator)
    gold = torch.from_numpy(np.concatenate([data.gold[i] for i in batch]))
    kept = gold >= 0
    counts = np.bincount(made.gold[made.gold >= 0], minlength=LABELS)
    assert 0 < kept.sum() < len(kept)
    assert counts[withheld] == 0
    weights = torch.from_numpy(class_weights(np.repeat(np.arange(LABELS), counts), LABELS, made.config.weight_power))
    triplet_loss = BalancedTripletLoss(made.config.margin, hard=True)
    with torch.no_grad():
        losses = torch.stack(made.losses(batch))
        vectors, logits = made.network([data.embeddings[i] for i in batch])

        def expected(labels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            cross_entropy = torch.nn.functional.cross_entropy(logits[rows], labels[rows], weights)
            return torch.stack([cross_entropy, triplet_loss(vectors[rows], labels[rows])])

        torch.testing.assert_close(losses, expected(gold, kept))
        # The same losses with the withheld rows under any label that is trained are others: this batch can tell.
        for label in np.flatnonzero(counts).tolist():
            wrong = expected(gold.where(kept, torch.tensor(label)), torch.ones_like(kept))
            assert ((wrong - losses).abs() > 1e-3).all()


def test_what_is_saved_answers_the_same_when_loaded(
    system: SentEmoContext, sample: Dataset, cache: Path, tmp_path: Path
) -> None:
    system.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded = build(sample, cache)
    loaded.load(tmp_path)
    asked = list(sample.test)
    assert answers(loaded, asked, all_targets(asked)) == answers(system, asked, all_targets(asked))
    assert loaded.report() == system.report()
    assert loaded.parameters == system.parameters


def test_an_answer_does_not_depend_on_the_other_targets(system: SentEmoContext, sample: Dataset) -> None:
    asked = list(sample.test)
    everything = answers(system, asked, all_targets(asked))
    some = all_targets(asked)[5::7]
    wanted = {target.dialogue for target in some}
    part = answers(system, [d for d in asked if d.id in wanted], some)
    assert part == {target: everything[target] for target in some}


def test_embeddings_are_contextual_and_of_length_one(system: SentEmoContext, sample: Dataset) -> None:
    dialogue = sample.test[0].without_labels()
    other = replace(dialogue, utterances=(*dialogue.utterances[:-1], sample.test[1].utterances[0]))
    first, second = system.embed([dialogue, other], progress=SILENT)
    assert first.dtype == np.float32
    assert first.shape == (len(dialogue), 384)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    assert not np.allclose(first[0], second[0], atol=1e-6), "the last utterance is context of the first"


def test_context_follows_the_setting(sample: Dataset, cache: Path) -> None:
    assert build(sample, cache).context == "dialogue"
    assert build(sample, cache, context="past").context == "past"


def test_heads_must_divide_the_encoder_s_dimension(sample: Dataset, cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"heads of sentemocontext must divide the encoder's 384 components, got 5"):
        build(sample, cache, heads=5).fit(sample.train[:4], [], seed=0, progress=SILENT)


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"dropout": 1.0}, {"triplet_weight": -1.0}])
def test_impossible_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        SentEmoContextConfig(**setting)


def test_training_without_validation_keeps_the_last_epoch(sample: Dataset, cache: Path) -> None:
    made = build(sample, cache, epochs=2)
    made.fit(sample.train[:10], [], seed=0, progress=SILENT)
    assert made.report().measurements["best_epoch"] == 2
    assert made.report().measurements["neutral_offset"] == 0


def test_a_folder_without_a_model_is_refused(sample: Dataset, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError, match="must hold a trained model"):
        build(sample, cache).load(tmp_path)


def test_training_gives_the_same_bits_in_a_fresh_process(sample: Dataset, cache: Path, tmp_path: Path) -> None:
    script = f"""
import hashlib, pathlib, torch
torch.set_num_threads(1)
from erc_bench.data import load_dataset
from erc_bench.progress import SilentProgress
from erc_bench.contract.system import Runtime
from erc_bench.systems.sentemocontext.system import SentEmoContext, SentEmoContextConfig
sample = load_dataset("sample")
system = SentEmoContext(
    SentEmoContextConfig(**{SMALL!r}), labels=sample.labels,
    runtime=Runtime(device="cpu", cache_dir=pathlib.Path({str(cache)!r})),
)
system.fit(sample.train, sample.validation, seed=3, progress=SilentProgress())
folder = pathlib.Path({str(tmp_path)!r})
system.save(folder)
print(hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest())
"""
    runs = {
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


@pytest.mark.parametrize("context", ["dialogue", "past"])
def test_the_contract_is_kept(context: Any) -> None:
    results = check_system(SentEmoContext, SentEmoContextConfig(**SMALL, context=context), device="cpu")
    assert [r for r in results if r.outcome == "failed"] == []
