"""One board across corpora: each system's score on each, its mean rank, and which differences hold on all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from erc_bench.board.model import Board
from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.protocols.registry import protocols
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.scoring.mean_ranks import CorpusScores, mean_ranks
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.significance import ALPHA, Comparison, compare, holm

if TYPE_CHECKING:
    import pandas as pd

RANK_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Corpus:
    """A column of the board: a dataset, the metric that ranks it, and what its scores were computed on."""

    name: str
    metric: Metric
    fingerprint: str
    dialogues: int
    utterances: int


@dataclass(frozen=True, slots=True)
class AcrossRow:
    """A system, known by its title: its row on each corpus that it ran on.

    `mean_rank` is None where it has no row on one of the corpora. `better_than` are the systems that it beats on every
    corpus (`AcrossPair.holds`).
    """

    title: str
    floor: bool
    rows: Mapping[str, Row]
    mean_rank: Score | None
    better_than: tuple[str, ...] = ()

    def score(self, corpus: Corpus) -> Score | None:
        """The score by which a corpus is ranked; None without a row there."""
        row = self.rows.get(corpus.name)
        return row.scores.get(corpus.metric.name) if row else None


@dataclass(frozen=True, slots=True)
class AcrossPair:
    """Two systems with rows on every corpus: A minus B on each, in the order of the corpora.

    `p_value` tests the claim that the one is better than the other on all corpora: the largest of the p-values, since the claim
    is wrong as soon as it is wrong on one of them, and 1 where the differences point both ways. `corrected` is Holm's, over
    all pairs of the board.
    """

    a: str
    b: str
    comparisons: tuple[Comparison, ...]
    p_value: float
    corrected: float = 1.0

    @property
    def holds(self) -> bool:
        """Whether one of the two is shown to be better on every corpus."""
        return self.corrected <= ALPHA

    @property
    def better(self) -> str:
        """The one that is better on the first corpus, and, where the difference holds, on all."""
        return self.a if self.comparisons[0].first_is_better else self.b

    @property
    def worse(self) -> str:
        """The other one."""
        return self.b if self.better == self.a else self.a


@dataclass(frozen=True, slots=True)
class AcrossBoard:
    """All that the board across corpora shows, in every format; rows with a mean rank first, best first."""

    protocol: str
    corpora: tuple[Corpus, ...]
    rows: tuple[AcrossRow, ...]
    pairs: tuple[AcrossPair, ...]

    @property
    def ranked(self) -> tuple[AcrossRow, ...]:
        """The systems with a row on every corpus."""
        return tuple(row for row in self.rows if row.mean_rank is not None)

    @property
    def holding(self) -> tuple[AcrossPair, ...]:
        """The differences that hold on every corpus."""
        return tuple(pair for pair in self.pairs if pair.holds)

    def columns(self) -> tuple[str, ...]:
        """The columns of across.csv: those of a system, then those of each corpus, named by it and its metric."""
        ends = ("", "_low", "_high")
        return (
            *("system", "floor", "corpora"),
            *(f"mean_rank{end}" for end in ends),
            *(f"{corpus.name}_{corpus.metric.name}{end}" for corpus in self.corpora for end in ends),
            *(f"{corpus.name}_seeds" for corpus in self.corpora),
            "better_on_all_than",
        )

    def records(self) -> list[dict[str, Any]]:
        """Every system by `columns()`: scores in the unit of their metric, None where it has no run; titles as a list."""
        return [self._record(row) for row in self.rows]

    def _record(self, row: AcrossRow) -> dict[str, Any]:
        found: dict[str, Any] = {"system": row.title, "floor": row.floor, "corpora": len(row.rows)}
        found |= _with_limits("mean_rank", row.mean_rank, _rounded)
        for corpus in self.corpora:
            found |= _with_limits(f"{corpus.name}_{corpus.metric.name}", row.score(corpus), corpus.metric.rounded)
        for corpus in self.corpora:
            found[f"{corpus.name}_seeds"] = row.rows[corpus.name].seeds if corpus.name in row.rows else None
        return found | {"better_on_all_than": list(row.better_than)}

    def table(self) -> pd.DataFrame:
        """The systems as a DataFrame, in the columns of across.csv."""
        import pandas as pd

        counts = {f"{corpus.name}_seeds": "Int64" for corpus in self.corpora}
        return pd.DataFrame(self.records(), columns=list(self.columns())).astype(counts)


def _with_limits(
    name: str, score: Score | None, rounded: Callable[[float | None], float | None]
) -> dict[str, float | None]:
    limits = (None, None, None) if score is None else (score.value, score.low, score.high)
    return {f"{name}{end}": rounded(value) for end, value in zip(("", "_low", "_high"), limits, strict=True)}


def _rounded(rank: float | None) -> float | None:
    return None if rank is None else round(rank, RANK_DECIMALS)


def across_board(boards: Sequence[Board], protocol: str | None = None) -> AcrossBoard:
    """The board across the corpora of some boards, under a protocol, by default the first that two of them have rows of.

    Raises
    ------
    UnknownNameError
        No protocol of that name.
    UsageError
        A protocol whose rows are not ranked.
    DataMissingError
        Fewer than two corpora with measured rows.
    """
    name, found = _sections(boards, protocol)
    corpora = tuple(
        Corpus(board.dataset, board.ranking, board.fingerprint, section.dialogues, section.utterances)
        for board, section in found
    )
    by_corpus = {section.dataset: {row.title: row for row in section.rows} for _, section in found}
    titles = list(dict.fromkeys(title for rows in by_corpus.values() for title in rows))
    common = [title for title in titles if all(title in rows for rows in by_corpus.values())]
    scores = [
        CorpusScores(board.dataset, board.ranking, [section.estimates[title] for title in common])
        for board, section in found
    ]
    means = dict(zip(common, mean_ranks(scores), strict=True)) if common else {}
    floors = {title for title in titles if any(rows[title].floor for rows in by_corpus.values() if title in rows)}
    common.sort(key=lambda title: (means[title].value, title))
    pairs = _pairs(common, floors, found)
    rows = [
        AcrossRow(
            title,
            title in floors,
            {corpus: rows[title] for corpus, rows in by_corpus.items() if title in rows},
            Score(means[title].value, *means[title].interval) if title in means else None,
            tuple(pair.worse for pair in pairs if pair.holds and pair.better == title),
        )
        for title in titles
    ]
    rows.sort(key=lambda row: (row.mean_rank.value if row.mean_rank else len(titles) + 1, -len(row.rows), row.title))
    return AcrossBoard(name, corpora, tuple(rows), pairs)


def check_protocol(protocol: str | None) -> None:
    """Refuse a protocol that does not exist (`UnknownNameError`) or whose rows are not ranked (`UsageError`)."""
    if protocol is not None and protocol not in protocols():
        raise UnknownNameError("a protocol", protocol, protocols())
    if protocol is not None and not protocols()[protocol].ranked:
        ranked = [name for name, each in protocols().items() if each.ranked]
        raise UsageError(
            f"a board across corpora must be of one of {', '.join(ranked)}, whose rows are ranked, got {protocol}."
        )


def _sections(boards: Sequence[Board], protocol: str | None) -> tuple[str, list[tuple[Board, Section]]]:
    check_protocol(protocol)
    most: list[tuple[Board, Section]] = []
    for name in [protocol] if protocol else protocols():
        found = [(board, section) for board in boards if (section := board.section(name)) and section.estimates]
        if len(found) > 1:
            return name, found
        most = max(most, found, key=len)
    had = f"rows on {most[0][0].dataset} only" if most else "none"
    raise DataMissingError(
        f"a board across corpora must have measured rows on two datasets at least, got {had}. Run systems on another one: "
        "erc-bench run --system NAME --dataset OTHER (erc-bench data list)."
    )


def _pairs(common: Sequence[str], floors: set[str], found: Sequence[tuple[Board, Section]]) -> tuple[AcrossPair, ...]:
    """Every pair of systems, and each against the best floor: `common` is in the order of mean ranks."""
    systems = [title for title in common if title not in floors]
    best_floor = [title for title in common if title in floors][:1]
    pairs = [*combinations(systems, 2), *((title, floor) for title in systems for floor in best_floor)]
    tested = [_pair(a, b, found) for a, b in pairs]
    corrected = holm([pair.p_value for pair in tested])
    return tuple(
        AcrossPair(each.a, each.b, each.comparisons, each.p_value, float(value))
        for each, value in zip(tested, corrected, strict=True)
    )


def _pair(a: str, b: str, found: Sequence[tuple[Board, Section]]) -> AcrossPair:
    comparisons = tuple(compare(section.estimates[a], section.estimates[b], board.ranking) for board, section in found)
    one_way = len({comparison.first_is_better for comparison in comparisons}) == 1
    return AcrossPair(a, b, comparisons, max(each.p_value for each in comparisons) if one_way else 1.0)
