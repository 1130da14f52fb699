from __future__ import annotations

import random
from itertools import combinations

from erc_bench.data.near import THRESHOLD, character_shingles, jaccard, near_pairs, with_twin, word_shingles
from erc_bench.progress import SilentProgress


def test_shingles() -> None:
    assert word_shingles("a b c d") == {"a b c", "b c d"}
    assert word_shingles("a b") == {"a b"}
    assert character_shingles("abcdef") == {"abcde", "bcdef"}
    assert character_shingles("abc") == {"abc"}


def test_jaccard() -> None:
    assert jaccard(frozenset("abc"), frozenset("bcd")) == 0.5
    assert jaccard(frozenset("a"), frozenset("a")) == 1
    assert jaccard(frozenset("a"), frozenset("b")) == 0


def varied_texts() -> list[list[str]]:
    random.seed(7)
    words = [f"word{n}" for n in range(400)]
    texts = []
    for _ in range(60):
        base = random.choices(words, k=60)
        texts.append(base)
        for changes in (0, 1, 3, 8, 30):
            changed = list(base)
            for position in random.sample(range(60), changes):
                changed[position] = random.choice(words)
            texts.append(changed)
    return texts


def test_pairs_are_those_of_brute_force() -> None:
    texts = varied_texts()
    shingles = [word_shingles(" ".join(text)) for text in texts]
    expected = {
        (later, earlier)
        for earlier, later in combinations(range(len(texts)), 2)
        if jaccard(shingles[earlier], shingles[later]) >= THRESHOLD
    }
    found = near_pairs(shingles, what="texts", progress=SilentProgress())
    assert len(expected) > 150
    assert set(found) == expected
    assert len(found) == len(expected)


def test_twins_are_those_of_brute_force() -> None:
    shingles = [word_shingles(" ".join(text)) for text in varied_texts()]
    these, others = shingles[::2], [*shingles[1::2], word_shingles("short text")]
    expected = {at for at, one in enumerate(these) if any(jaccard(one, other) >= THRESHOLD for other in others)}
    assert 50 < len(expected) < len(these)
    assert with_twin(these, others) == expected


def test_a_twin_at_the_very_threshold_counts() -> None:
    common = frozenset("abcd")
    assert jaccard(common, common | {"e"}) == THRESHOLD
    assert with_twin([common | {"e"}], [common]) == {0}
    assert with_twin([common], [common | {"e"}]) == {0}
    assert with_twin([common], [common | {"e", "f"}]) == frozenset()
