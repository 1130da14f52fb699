from __future__ import annotations

import pytest

from erc_bench.systems.dialogue_encoder.fine_tuning import batches_by_tokens


@pytest.mark.parametrize("tokens", [10, 64, 1000])
def test_batches_hold_every_window_once_and_no_more_tokens_than_asked(tokens: int) -> None:
    lengths = [3 + (7 * i) % 41 for i in range(200)]
    batches = batches_by_tokens(lengths, list(range(200))[::-1], tokens)
    assert sorted(position for batch in batches for position in batch) == list(range(200))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= tokens for batch in batches)


def test_batches_are_of_like_length() -> None:
    lengths = [3 + (7 * i) % 41 for i in range(400)]
    batches = batches_by_tokens(lengths, list(range(400)), 200)
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert padded <= 1.1 * sum(lengths)
