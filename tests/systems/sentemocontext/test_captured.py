"""What is computed for a CUDA graph is what is computed without one; on a GPU, that it is captured and replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

from erc_bench.progress import SilentProgress
from erc_bench.systems.sentemocontext import captured as module
from tests.systems.sentemocontext.toys import BATCH, LABELS, trainer

if TYPE_CHECKING:
    import torch

WHICH = ("random", "batch-hard", "all")
Which = Literal["random", "batch-hard", "all"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"context": "past", "triplets": "batch-hard"},
        {"context": "utterance", "positions": False, "speakers": False},
        {"weights_from": "batch", "weight_power": 1.0, "withheld": 2},
    ],
)
@pytest.mark.parametrize("size", [64, 128])
def test_losses_and_gradients_are_those_of_dialogues_in_rows(settings: dict[str, Any], size: int) -> None:
    import torch

    made = trainer(**({"triplets": "all"} | settings))
    found: list[tuple[torch.Tensor, ...]] = []
    for losses in (made.losses(BATCH), made.packed_losses(*made.packed(BATCH, size))):
        made.network.zero_grad()
        sum(losses, torch.zeros(())).backward()
        gradients = [p.grad for p in made.network.parameters() if p.grad is not None]
        found.append((torch.stack([loss.detach() for loss in losses]), *gradients))
    assert len(found[0]) == len(found[1]) > 10
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("which", ["batch-hard", "all"])
def test_the_triplet_loss_is_the_library_s(which: Which) -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    torch.manual_seed(0)
    vectors = torch.randn(40, 4)
    gold = torch.tensor([0] * 15 + [3] * 12 + [5] * 1 + [6] * 7 + [-1] * 5)[torch.randperm(40)]
    for margin in (0.2, 1.0):
        loss = BalancedTripletLoss(margin, which)
        torch.testing.assert_close(loss.packed(vectors, gold, LABELS), loss(vectors, gold), atol=1e-5, rtol=1e-5)


def test_random_triplets_are_uniform_over_those_of_each_anchor() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    torch.manual_seed(0)
    vectors, gold = torch.randn(14, 4), torch.tensor([0] * 6 + [2] * 5 + [4] * 2 + [-1])
    unit = torch.nn.functional.normalize(vectors)
    anchors = []
    for a in range(13):
        positives = [float((unit[a] - unit[p]).norm()) for p in range(13) if p != a and gold[p] == gold[a]]
        negatives = [float((unit[a] - unit[n]).norm()) for n in range(13) if gold[n] != gold[a]]
        anchors.append(np.mean(positives) - np.mean(negatives) + 10)
    loss = BalancedTripletLoss(10.0, "random", triplets_per_anchor=4_000)  # a margin that leaves no loss at zero
    found = loss.packed(vectors, gold, LABELS)
    assert float(found) == pytest.approx(np.mean(anchors), abs=0.01)
    assert float(loss(vectors, gold)) == pytest.approx(np.mean(anchors), abs=0.01), "and so are the library's"


def test_a_label_gives_no_more_utterances_than_its_places() -> None:
    import torch

    torch.manual_seed(0)
    vectors = torch.randn(60, 4)
    gold = torch.tensor([1] * 50 + [2] * 10)
    losses = [
        float(
            module.triplet_loss(vectors, gold, 3, margin=1.0, which="all", per_class=per_class, triplets_per_anchor=8)
        )
        for per_class in (5, 5, 60)
    ]
    assert losses[0] != losses[1], "which ones are drawn anew"
    assert abs(losses[0] - losses[2]) < 0.3


@pytest.mark.parametrize("gold", [[1, 1, 1], [0, 1, 2], [-1, -1, 2]])
@pytest.mark.parametrize("which", WHICH)
def test_without_a_triplet_the_loss_is_zero(gold: list[int], which: Which) -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    vectors = torch.randn(len(gold), 4, requires_grad=True)
    loss = BalancedTripletLoss(1.0, which).packed(vectors, torch.tensor(gold), LABELS)
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is None or not vectors.grad.any()


def test_a_label_more_costs_no_cube() -> None:
    import torch

    from erc_bench.systems.sentemocontext.network import BalancedTripletLoss

    torch.manual_seed(0)
    vectors, gold = torch.randn(240, 4), torch.arange(240) % 80  # 80 labels: a table of 1,280 places
    loss = BalancedTripletLoss(1.0, "all")
    torch.testing.assert_close(loss.packed(vectors, gold, 80), loss(vectors, gold), atol=1e-5, rtol=1e-5)
    table = torch.arange(9 * 9).view(9, 9)  # three labels with three places each
    own, rows = module._own(table, 3), module._rows(table, 3)
    assert own.tolist() == [table[i : i + 3, i : i + 3].tolist() for i in (0, 3, 6)]
    assert rows.shape == (3, 3, 1, 9)
    assert torch.broadcast_shapes(own[..., None].shape, rows.shape) == (3, 3, 3, 9), "not every pair with every place"


def test_training_on_batches_of_several_sizes_leaves_the_weights_of_dialogues_in_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(module, "SIZES", 8)
    monkeypatch.setattr(module, "LARGEST", 16)
    found, sizes = [], set()
    for captures in (False, True):
        made = trainer(triplets="batch-hard", epochs=4, batch_size=2)
        made.captures = captures
        losses = []
        for _ in range(4):
            for batch in made.batches():
                sizes.add(module.size_of(int(made.data.lengths[batch].sum())))
                losses.append(made.step(batch))
        weights = torch.cat([p.detach().flatten() for p in made.network.parameters()])
        found.append((torch.stack(losses), weights))
    assert len(sizes) == 3
    assert None in sizes, "and some batches are too large"
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found[0][1], found[1][1], atol=2e-3, rtol=1e-2)
    untrained = torch.cat([p.detach().flatten() for p in trainer().network.parameters()])
    assert float((found[0][1] - untrained).abs().max()) > 0.005


def test_batches_that_are_too_large_for_a_mask_are_not_filled_up() -> None:
    assert [module.size_of(count) for count in (1, 64, 65, 4096, 4097)] == [64, 64, 128, 4096, None]


def test_without_a_gpu_a_step_is_computed_as_ever() -> None:
    import torch

    calls: list[torch.Tensor] = []

    def function(values: torch.Tensor) -> torch.Tensor:
        calls.append(values)
        return values.sum()

    step = module.CapturedStep(function, torch.device("cpu"))
    assert [float(step(torch.ones(size))) for size in (2, 2, 3)] == [2, 2, 3]
    assert len(calls) == 3


def test_a_combination_of_shapes_is_computed_once_captured_once_and_then_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    done: list[str] = []

    class Graph:
        def replay(self) -> None:
            done.append("replayed")

    def captured(step: module.CapturedStep, inputs: tuple[torch.Tensor, ...]) -> module._Kept:
        done.append("captured")
        return module._Kept(tuple(map(torch.zeros_like, inputs)), Graph(), torch.tensor(7.0))

    def as_ever(step: module.CapturedStep, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        done.append("computed")
        return torch.tensor(5.0)

    monkeypatch.setattr(module.CapturedStep, "_captured", captured)
    monkeypatch.setattr(module.CapturedStep, "_as_ever", as_ever)
    step = module.CapturedStep(lambda *inputs: inputs[0], torch.device("cuda"))
    found = [float(step(torch.full((size,), float(n)), torch.ones(2))) for n, size in enumerate((3, 3, 4, 3, 4))]
    assert found == [5, 7, 5, 7, 7]
    assert done == ["computed", "captured", "replayed", "computed", "replayed", "captured", "replayed"]
    kept = step._kept[torch.Size([3]), torch.Size([2])]
    assert kept is not None
    assert kept.inputs[0].tolist() == [3, 3, 3], "what the last of these calls gave"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> str:
    import torch

    from erc_bench.systems.sentemocontext import trainer as training

    if not torch.cuda.is_available():
        pytest.skip("a graph is captured on a CUDA device only, and there is none")
    # float32 throughout, so that the two ways can be compared closely
    monkeypatch.setattr(
        training, "mixed_precision", lambda device: torch.autocast(device.type, torch.bfloat16, enabled=False)
    )
    return "cuda"


@pytest.mark.parametrize("triplets", ["batch-hard", "all"])
def test_captured_training_is_training(gpu: str, triplets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def trained(way: str) -> tuple[list[tuple[float, float]], torch.Tensor, int]:
        made = trainer(gpu, triplets=triplets, epochs=6, pretrain_epochs=6, learning_rate=1e-3)
        with monkeypatch.context() as patch:
            if way == "as ever":
                patch.setattr(
                    module.CapturedStep,
                    "__call__",
                    lambda step, *inputs: step.function(*(t.to(step.device) for t in inputs)),
                )
            made.pretrain_classifier(SilentProgress())
            losses = [made.epoch(lambda: None) for _ in range(6)]
        graphs = sum(kept is not None for kept in made.captured._kept.values())
        return losses, torch.cat([p.detach().flatten().cpu() for p in made.network.parameters()]), graphs

    losses, weights, graphs = trained("captured")
    expected, other, none = trained("as ever")
    assert graphs > 0 == none
    np.testing.assert_allclose(losses, expected, atol=1e-3)
    torch.testing.assert_close(weights, other, atol=2e-3, rtol=1e-2)
    untrained = torch.cat([p.detach().flatten().cpu() for p in trainer(gpu).network.parameters()])
    assert float((weights - untrained).abs().max()) > 0.005, "both are not what they began with"


def test_dropout_and_triplets_are_drawn_anew_in_every_replay(gpu: str) -> None:
    import torch

    made = trainer(gpu, triplets="random", dropout=0.5, learning_rate=0.0)
    losses = torch.stack([made.step(BATCH).clone() for _ in range(6)]).cpu().numpy()
    assert len(made.captured._kept) == 1
    assert all(len(set(each.round(6).tolist())) == 6 for each in losses.T)


def test_the_rate_follows_the_schedule_in_replays(gpu: str) -> None:
    import torch

    made = trainer(gpu, triplets="batch-hard", epochs=20)
    moved = []
    for _ in range(made.config.epochs * made.batches_an_epoch):
        before = made.network.classifier.output.weight.detach().clone()
        made.step(BATCH)
        moved.append(float((made.network.classifier.output.weight.detach() - before).abs().max()))
    rates = [group["lr"] for group in made.optimiser.optimiser.param_groups]
    assert all(isinstance(rate, torch.Tensor) and float(rate) == 0 for rate in rates)
    assert moved[-1] < 0.2 * max(moved)
