from __future__ import annotations

import pytest

from erc_bench.data.dailydialog import LABELS
from erc_bench.systems.llm.modes import LabelTrie, request_seed, vote


def test_a_label_trie_scores_shared_beginnings_once() -> None:
    trie = LabelTrie({"anger": (5,), "sad": (1, 2), "surprise": (1, 3, 4)})
    assert trie.prefixes == [(), (1,), (1, 3)]
    assert trie.tokens == [1, 2, 3, 4, 5]
    following = {
        (): {"token_id:1": -1.0, "token_id:5": -2.0},
        (1,): {"token_id:2": -0.5, "token_id:3": -1.5},
        (1, 3): {"token_id:4": -0.25},
    }
    assert trie.scores(following, mean=False) == {"anger": -2.0, "sad": -1.5, "surprise": -2.75}
    assert trie.scores(following, mean=True)["surprise"] == pytest.approx(-2.75 / 3)


def test_votes_tie_to_the_first_and_unusable_samples_have_none() -> None:
    assert vote(["fear", "anger", "anger", "fear"], LABELS)[0] == "fear"
    assert vote([None, None, "anger"], LABELS)[0] == "anger"
    label, shares = vote([None, None], LABELS)
    assert label is None
    assert set(shares.values()) == {0.0}


def test_a_request_has_its_own_seed_whatever_is_asked_beside_it() -> None:
    seeds = {request_seed(seed, dialogue, turn) for seed in (0, 1) for dialogue in ("a", "b") for turn in range(50)}
    assert len(seeds) == 200
    assert request_seed(0, "a", 3) == request_seed(0, "a", 3)
    assert all(0 <= seed < 2**31 for seed in seeds), "servers take 32 bits, some of them signed"
