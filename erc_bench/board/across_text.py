"""The board across corpora in words and in cells of plain text, which Markdown, the terminal and the page lay out."""

from __future__ import annotations

from collections.abc import Iterator

from erc_bench.board.across import AcrossBoard, AcrossRow, Corpus
from erc_bench.board.text import FLOOR, INTERVAL, TextTable, with_interval
from erc_bench.board.words import MISSING
from erc_bench.protocols.rows import Score
from erc_bench.scoring.bootstrap import LEVEL
from erc_bench.scoring.metric import PERCENT
from erc_bench.scoring.resampling import RESAMPLES
from erc_bench.scoring.significance import ALPHA

LEAD = "How each system does on several corpora at once, and which differences hold on all of them."


def title(board: AcrossBoard) -> str:
    """What the table of systems is: `3 corpora, protocol utterance: 5 of 7 systems have rows on all`."""
    return (
        f"{len(board.corpora)} corpora, protocol {board.protocol}: {len(board.ranked)} of {len(board.rows)} systems have rows "
        "on all"
    )


def provenance(board: AcrossBoard) -> str:
    """What the scores of each corpus were computed on."""
    sizes = (
        f"{corpus.name}: {corpus.dialogues:,} test dialogues, {corpus.utterances:,} utterances (content SHA-256 "
        f"{corpus.fingerprint[:12]}…)"
        for corpus in board.corpora
    )
    return f"{'; '.join(sizes)}."


def method(board: AcrossBoard) -> str:
    """How scores, mean ranks and differences are computed."""
    metrics = "; ".join(f"{corpus.name} by {corpus.metric.words}" for corpus in board.corpora)
    return (
        f"Scores: {metrics}. A system is the title of a row, with its settings. Mean rank: "
        "among the systems with a row on every corpus, floors included, 1 is the best, equal scores share a rank, averaged over "
        f"corpora; a system that lacks a corpus has none. Brackets: {LEVEL:.0%} intervals. Those of a mean rank count the "
        f"systems that it is shown to rank behind and before, by {RESAMPLES:,} joint resamples, each of which draws whole "
        "dialogues of every corpus independently. "
        f"{FLOOR}: a trivial predictor that the others are read against."
    )


def claim(board: AcrossBoard) -> str:
    """What it takes for a difference to hold on every corpus."""
    return (
        "A is better than B on every corpus where paired tests by dialogue say so on each: the largest of the "
        f"{len(board.corpora)} p-values, Holm-corrected over {len(board.pairs)} pairs (every two systems, and each with the "
        f"best floor), is at most {ALPHA:.0%}."
    )


def systems_table(board: AcrossBoard) -> TextTable:
    """A row a system: its mean rank, then its score on each corpus."""
    columns = (
        ("system", False),
        (f"mean rank{INTERVAL}", True),
        *((heading(corpus), True) for corpus in board.corpora),
    )
    rows = tuple(
        (
            f"{row.title} {FLOOR}" if row.floor else row.title,
            mean_rank(row.mean_rank),
            *(with_interval(corpus.metric, row.score(corpus)) for corpus in board.corpora),
        )
        for row in board.rows
    )
    return TextTable(tuple(name for name, _ in columns), tuple(right for _, right in columns), rows)


def heading(corpus: Corpus) -> str:
    """The column of a corpus."""
    return f"{corpus.name} {corpus.metric.words}{INTERVAL}"


def mean_rank(score: Score | None) -> str:
    """`1.33 [1.00, 2.00]`."""
    if score is None or score.low is None or score.high is None:
        return MISSING
    return f"{PERCENT.text(score.value)} [{PERCENT.text(score.low)}, {PERCENT.text(score.high)}]"


def holding(board: AcrossBoard) -> str:
    """How many differences hold on every corpus."""
    return f"Differences that hold on every corpus: {len(board.holding)} of {len(board.pairs)} pairs"


def holding_lines(board: AcrossBoard) -> Iterator[str]:
    """A line for each system that beats another one on every corpus, best first."""
    yield from (_line(row) for row in board.rows if row.better_than)


def _line(row: AcrossRow) -> str:
    return f"{row.title} is better than {', '.join(row.better_than)}."
