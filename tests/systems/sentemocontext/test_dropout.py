"""Dropout drops its share, and a mask from a table is one like any other."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("probability", [0.2, 0.5, 0.999999])
def test_dropout_drops_its_share_and_scales_the_rest(probability: float) -> None:
    import torch

    from erc_bench.systems.sentemocontext.dropout import Dropout

    torch.manual_seed(0)
    dropout, ones = Dropout(probability), torch.ones(1001, 303)
    dropped = dropout(ones)
    kept = dropped[dropped != 0]
    assert 1 - len(kept) / ones.numel() == pytest.approx(probability, abs=0.003)
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - probability)))
    for line in (0, 1):  # neighbours are drawn from one word of 64 bits, and know nothing of each other
        both = (dropped == 0) & (dropped.roll(1, line) == 0)
        assert both.float().mean().item() == pytest.approx(probability**2, abs=0.003)
    assert torch.equal(dropout.eval()(ones), ones)


def test_dropout_reaches_the_gradient() -> None:
    import torch

    from erc_bench.systems.sentemocontext.dropout import Dropout

    torch.manual_seed(0)
    ones = torch.ones(50, 3, requires_grad=True)
    dropped = Dropout(0.5)(ones)
    dropped.sum().backward()
    assert ones.grad is not None
    assert torch.equal(ones.grad, dropped)


def test_masks_drop_their_share_wherever_they_begin() -> None:
    import torch

    from erc_bench.systems.sentemocontext.dropout import TABLE, TURNS, Masks

    torch.manual_seed(0)
    masks, ones = Masks(0.2), torch.ones(1001, 303, dtype=torch.bfloat16)
    first, second = masks.like(ones), masks.like(ones)
    assert set(first.unique().tolist()) == {0.0, 1.25}
    assert not torch.equal(first, second)
    for mask in (first, second):
        assert (mask == 0).float().mean().item() == pytest.approx(0.2, abs=0.003)
    both = (first == 0) & (second == 0)
    assert both.float().mean().item() == pytest.approx(0.04, abs=0.003)
    table = masks.table
    while masks.left >= ones.numel():
        masks.like(ones)
    masks.like(ones)
    assert masks.table is not table
    assert not torch.equal(masks.table, table)
    assert masks.left == TURNS * TABLE - ones.numel()


def test_masks_as_large_as_the_table_are_not_alike() -> None:
    import torch

    from erc_bench.systems.sentemocontext.dropout import TABLE, Masks

    torch.manual_seed(0)
    masks = Masks(0.5)
    for size in (TABLE // 4 + 1, TABLE + 5):
        first, second = (masks.like(torch.ones(size, dtype=torch.bfloat16)) for _ in range(2))
        assert first.shape == second.shape == (size,)
        both = (first == 0) & (second == 0)
        assert both.float().mean().item() == pytest.approx(0.25, abs=0.003)
