"""Training in bfloat16 on the processor is the training in float32, but for its roundings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Runtime
from erc_bench.progress import SilentProgress
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.system import SentEmoContext
from erc_bench.systems.sentemocontext.trainer import Trainer
from erc_bench.toolkit.training import deterministic_training
from tests.systems.sentemocontext.toys import BATCH
from tests.systems.sentemocontext.toys import trainer as small_trainer

if TYPE_CHECKING:
    import torch

    from erc_bench.systems.sentemocontext.twin import Twin

SILENT = SilentProgress()


def trainer(**settings: Any) -> Trainer:
    defaults: dict[str, Any] = {"arithmetic": "bf16", "feed_forward": 64, "epochs": 2}
    made = small_trainer(**(defaults | settings))
    made.computing.train()
    return made


def twin_of(made: Trainer) -> Twin:
    assert made.twin is not None
    return made.twin


def trained(made: Trainer) -> dict[str, torch.Tensor]:
    made.pretrain_classifier(SILENT)
    for _ in range(made.config.epochs):
        made.epoch(lambda: None)
    return {name: tensor.clone() for name, tensor in made.network.state_dict().items()}


@pytest.mark.parametrize("lengths", [[32], [1], [5, 9, 3], [2] * 9, [40, 1], [31, 32, 33]])
def test_batches_are_filled_up_to_few_sizes(lengths: list[int]) -> None:
    from erc_bench.systems.sentemocontext.twin import filling

    filled = filling(lengths)
    assert (sum(lengths) + sum(filled)) % 32 == 0 or len(lengths) == 1
    assert sum(filled) < 32
    assert all(1 <= length <= max(lengths) for length in filled)


@pytest.mark.parametrize(
    "settings",
    [
        {"context": "dialogue"},
        {"context": "past", "speakers": False},
        {"context": "utterance", "positions": False},
        {"weights_from": "batch", "withheld": 2},
    ],
)
def test_losses_and_gradients_are_nearly_those_of_float32(settings: dict[str, Any]) -> None:
    import torch

    made = [trainer(arithmetic=arithmetic, triplets="batch-hard", **settings) for arithmetic in ("float32", "bf16")]
    losses = []
    for each in made:
        cross_entropy, triplets = each.losses(BATCH)
        (cross_entropy + triplets).backward()
        losses.append(torch.stack([cross_entropy, triplets]).detach())
    assert not torch.equal(*losses)
    torch.testing.assert_close(*losses, atol=0.02, rtol=0.02)
    exact, found = (dict(each.computing.named_parameters()) for each in made)
    for name, parameter in exact.items():
        if parameter.numel() == 0:
            continue  # no speakers
        assert parameter.grad is not None
        assert found[name].dtype == torch.bfloat16
        theirs = found[name].grad
        assert theirs is not None
        error = (theirs.float() - parameter.grad).norm()
        assert error <= 0.1 * parameter.grad.norm() + (5e-3 if parameter.ndim == 0 else 1e-3), name


def test_what_fills_up_a_batch_changes_no_other_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from erc_bench.systems.sentemocontext import twin as module

    made = trainer()
    given = made.data.inputs(made.data.rows(BATCH), BATCH)
    found = []
    for size in (1, 32, 64):
        monkeypatch.setattr(module, "FILLED_TO", size)
        found.append(twin_of(made).forward(*given))
    for vectors, logits in found[1:]:
        torch.testing.assert_close(vectors, found[0][0], atol=0.03, rtol=0.03)
        torch.testing.assert_close(logits, found[0][1], atol=0.03, rtol=0.03)
    assert {len(part) for pair in found for part in pair} == {len(given[0])}


def test_the_twin_follows_the_weights() -> None:
    import torch

    made = trainer(dropout=0.2)
    before = made.network.state_dict()["classifier.output.weight"].clone()
    after = trained(made)
    assert not torch.equal(after["classifier.output.weight"], before)
    for name, tensor in twin_of(made).network.state_dict().items():
        torch.testing.assert_close(tensor, after[name].bfloat16(), atol=0, rtol=0)
    assert all(tensor.dtype == torch.float32 for tensor in after.values())


def test_weights_after_training_are_near_those_of_float32() -> None:
    import torch

    start = torch.cat([tensor.flatten() for tensor in trainer().network.state_dict().values()])
    exact, found = (
        torch.cat([tensor.flatten() for tensor in trained(trainer(arithmetic=arithmetic)).values()])
        for arithmetic in ("float32", "bf16")
    )
    assert (found - exact).norm() < 0.3 * (exact - start).norm()


def test_pre_training_leaves_the_context_alone() -> None:
    import torch

    made = trainer(pretrain_epochs=2)
    before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    made.pretrain_classifier(SILENT)
    changed = {name for name, tensor in made.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(name.startswith(("classifier.", "encoder.normalise.")) for name in changed)


def test_the_same_seed_gives_the_same_bits() -> None:
    import torch

    runs = []
    for _ in range(2):
        with deterministic_training(3):
            runs.append(trained(trainer(dropout=0.2, pretrain_epochs=1)))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_dropout_multiplies_with_masks_of_its_probability() -> None:
    import torch

    from erc_bench.systems.sentemocontext.dropout import Dropout

    torch.manual_seed(0)
    made = trainer(dropout=0.5)
    inner = [m for m in twin_of(made).network.modules() if isinstance(m, Dropout)]
    assert {id(m.masks) for m in inner} == {id(inner[0].masks)}
    assert all(m.masks is None for m in made.network.modules() if isinstance(m, Dropout))
    ones = torch.ones(300, 32, dtype=torch.bfloat16, requires_grad=True)
    dropped = inner[0](ones)
    dropped.sum().backward()
    assert ones.grad is not None
    assert torch.equal(ones.grad, dropped)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_a_system_trained_in_bfloat16_answers_the_same_when_loaded(
    sample: Dataset, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    config = SentEmoContextConfig(arithmetic="bf16", epochs=2, pretrain_epochs=1, feed_forward=32, heads=4)
    runtime = Runtime(device="cpu", cache_dir=tmp_path_factory.mktemp("cache"))
    made, loaded = (SentEmoContext(config, labels=sample.labels, runtime=runtime) for _ in range(2))
    made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    exact = SentEmoContext(replace(config, arithmetic="float32"), labels=sample.labels, runtime=runtime)
    exact.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    assert exact.report() != made.report()
    made.save(tmp_path)
    loaded.load(tmp_path)
    asked = [dialogue.without_labels() for dialogue in sample.test]
    targets = [target for dialogue in asked for target in dialogue.targets()]
    assert [*loaded.predict(asked, targets, progress=SILENT)] == [*made.predict(asked, targets, progress=SILENT)]
