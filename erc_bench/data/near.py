"""Near duplicates: MinHash LSH (datasketch) proposes pairs, their true Jaccard similarity decides."""

from __future__ import annotations

from collections.abc import Sequence

from erc_bench.progress import Progress

WORDS_A_SHINGLE = 3
CHARACTERS_A_SHINGLE = 5
THRESHOLD = 0.8
# LSH misses pairs near its own threshold: at 0.5 with 64 permutations it proposes all but 6 in 10,000 of those at 0.8
PROPOSAL_THRESHOLD = 0.5
PERMUTATIONS = 64


def word_shingles(text: str) -> frozenset[str]:
    """All runs of three words; a shorter text is one shingle."""
    words = text.split()
    count = max(1, len(words) - WORDS_A_SHINGLE + 1)
    return frozenset(" ".join(words[start : start + WORDS_A_SHINGLE]) for start in range(count))


def character_shingles(text: str) -> frozenset[str]:
    """All runs of five characters; a shorter text is one shingle."""
    count = max(1, len(text) - CHARACTERS_A_SHINGLE + 1)
    return frozenset(text[start : start + CHARACTERS_A_SHINGLE] for start in range(count))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of common shingles, 0..1."""
    return len(one & other) / len(one | other)


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
