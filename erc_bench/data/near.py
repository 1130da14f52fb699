"""Near duplicates: texts whose sets of shingles have a Jaccard similarity of at least 0.8.

All pairs of a large collection are proposed by MinHash LSH (datasketch), and their true similarity decides. What has a
twin in another collection is found exactly: a set that shares 80% of its shingles with another shares at least one of any
fifth of them, so that a fifth is looked up and the rest compared only where that hits (Bayardo et al. 2007).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from erc_bench.progress import Progress

WORDS_A_SHINGLE = 3
CHARACTERS_A_SHINGLE = 5
THRESHOLD = 0.8
# LSH misses pairs near its own threshold: at 0.5 with 64 permutations it proposes all but 6 in 10,000 of those at 0.8
PROPOSAL_THRESHOLD = 0.5
PERMUTATIONS = 64
ROUNDING = 1e-9


def word_shingles(text: str) -> frozenset[str]:
    """All runs of three words; a shorter text is one shingle."""
    words = text.split()
    runs = zip(*(words[start:] for start in range(WORDS_A_SHINGLE)), strict=False)
    return frozenset(map(" ".join, runs)) or frozenset([" ".join(words)])


def character_shingles(text: str) -> frozenset[str]:
    """All runs of five characters; a shorter text is one shingle."""
    count = max(1, len(text) - CHARACTERS_A_SHINGLE + 1)
    return frozenset(text[start : start + CHARACTERS_A_SHINGLE] for start in range(count))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of common shingles, 0..1."""
    return len(one & other) / len(one | other)


def _is_near(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether the similarity is at least 0.8, which sets of too different sizes never have."""
    smaller, larger = sorted((len(one), len(other)))
    return smaller + ROUNDING >= THRESHOLD * larger and jaccard(one, other) >= THRESHOLD


def near_pairs(shingles: Sequence[frozenset[str]], *, what: str, progress: Progress) -> list[tuple[int, int]]:
    """Positions (later, earlier) of all pairs with a Jaccard similarity of at least 0.8, equal ones among them."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=PROPOSAL_THRESHOLD, num_perm=PERMUTATIONS)
    encoded = ([shingle.encode() for shingle in each] for each in shingles)
    pairs = []
    with progress.task(f"near duplicates of {what}", total=len(shingles), unit=what) as task:
        for later, sketch in enumerate(MinHash.generator(encoded, num_perm=PERMUTATIONS, seed=1)):
            proposed = sorted(index.query(sketch))
            pairs += [(later, at) for at in proposed if jaccard(shingles[later], shingles[at]) >= THRESHOLD]
            index.insert(later, sketch, check_duplication=False)
            task.advance()
    return pairs


def with_twin(these: Sequence[frozenset[str]], others: Iterable[frozenset[str]]) -> frozenset[int]:
    """Positions in `these` of all that have a Jaccard similarity of at least 0.8 with one of the others."""
    looked_up: dict[str, list[int]] = defaultdict(list)
    for position, shingles in enumerate(these):
        # Long shingles are rare, and which ones are looked up changes nothing but the time.
        count = math.floor((1 - THRESHOLD) * len(shingles) + ROUNDING) + 1
        for shingle in sorted(shingles, key=lambda text: (-len(text), text))[:count]:
            looked_up[shingle].append(position)
    found: set[int] = set()
    for other in others:
        proposed = {position for shingle in looked_up.keys() & other for position in looked_up[shingle]} - found
        found |= {position for position in proposed if _is_near(these[position], other)}
    return frozenset(found)
