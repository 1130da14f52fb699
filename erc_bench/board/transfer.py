"""Trained on one corpus, tested on another: for each system a matrix of corpora, from the boards of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erc_bench.board.build import Boards, build_boards
from erc_bench.board.model import Board
from erc_bench.board.text import INTERVAL, TextTable, with_interval
from erc_bench.board.words import MISSING, p_text, signed
from erc_bench.errors import DataError, DataMissingError, UnknownNameError
from erc_bench.progress import Progress
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.protocols.subsets import NOT_VERBATIM
from erc_bench.protocols.transfer import TRANSFER, training_corpus
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.significance import Comparison, compare

MEANING = (
    "Rows: the corpus that a system was trained and calibrated on; columns: the one it was tested on, with the metric that ranks "
    "it. A score off the diagonal is over the labels that both corpora have, and the test utterances with one of them; after "
    "the slash stands the score of the same system trained on the test corpus itself, on the same utterances. On the diagonal "
    "every utterance counts. Scores of different columns are not comparable."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A system trained on one corpus and tested on another, or (`train` = `test`) on the same.

    `labels` and `utterances` are how many count. `score` has the metric that ranks the test corpus, `not_verbatim` is the same
    without what stands in a training split. `own` is the score of the system trained on the test corpus, on the same
    utterances, and `difference` is `score` minus `own`, paired.
    """

    system: str
    train: str
    test: str
    metric: Metric
    labels: int
    utterances: int
    score: Score
    not_verbatim: Score | None
    own: Score | None
    difference: Comparison | None
    seeds: int | None
    floor: bool
    source: str


Matrices = Mapping[str, Sequence[Cell]]
"""The cells of each system, by its title without corpora."""


def matrices(boards: Iterable[Board]) -> Matrices:
    """The matrix of every system that was trained on a corpus and tested on another; floors come last."""
    found: dict[str, list[Cell]] = {}
    boards = list(boards)
    for board in boards:
        for section in board.sections:
            corpus = training_corpus(section)
            if corpus is not None and section.subset != NOT_VERBATIM.name:
                beside = board.section(section.protocol, NOT_VERBATIM.name)
                for cell in _cells(board, section, beside, corpus):
                    found.setdefault(cell.system, []).append(cell)
    for board in boards:
        for row in board.rows(UTTERANCE.name):
            if row.title in found:
                found[row.title].append(_diagonal(board, row))
    order = sorted(found, key=lambda title: (found[title][0].floor, title))
    return {title: sorted(found[title], key=lambda cell: (cell.train, cell.test)) for title in order}


def _cells(board: Board, section: Section, beside: Section | None, corpus: str) -> Iterable[Cell]:
    rows = {row.title: row for row in section.rows}
    unseen = {row.title: row for row in beside.rows} if beside else {}
    for row in section.rows:
        if row.trained_on:
            system = _without_corpus(row)
            own = rows.get(system)
            pair = own and (section.estimates[row.title], section.estimates[system])
            yield Cell(
                system=system,
                train=corpus,
                test=board.dataset,
                metric=board.ranking,
                labels=len(row.per_label),
                utterances=section.utterances,
                score=row.scores[board.ranking.name],
                not_verbatim=_score(unseen.get(row.title), board.ranking),
                own=_score(own, board.ranking),
                difference=compare(*pair, board.ranking) if pair else None,
                seeds=row.seeds,
                floor=row.floor,
                source=row.source,
            )


def _diagonal(board: Board, row: Row) -> Cell:
    section = board.section(UTTERANCE.name)
    beside = {other.title: other for other in board.rows(UTTERANCE.name, NOT_VERBATIM.name)}
    return Cell(
        system=row.title,
        train=board.dataset,
        test=board.dataset,
        metric=board.ranking,
        labels=len(board.labels),
        utterances=section.utterances if section else 0,
        score=row.scores[board.ranking.name],
        not_verbatim=_score(beside.get(row.title), board.ranking),
        own=None,
        difference=None,
        seeds=row.seeds,
        floor=row.floor,
        source=row.source,
    )


def _score(row: Row | None, metric: Metric) -> Score | None:
    return row.scores.get(metric.name) if row else None


def _without_corpus(row: Row) -> str:
    """`prior (trained on meld)` without the corpus: the title of the same system trained on the test corpus."""
    said = f"trained on {row.trained_on}"
    return row.title.replace(f" ({said})", "").replace(f", {said})", ")")


def build_matrices(
    results: Path,
    *,
    system: str | None = None,
    data_dir: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Matrices, tuple[DataError, ...]]:
    """The matrices of a results folder, or that of one system, and what is in it but on none of them.

    Raises
    ------
    DataMissingError
        No run that was trained on another corpus.
    UnknownNameError
        No such run of that system.
    """

    def boards(protocol: str) -> Boards:
        return build_boards(results, protocol=protocol, data_dir=data_dir, progress=progress)

    try:
        moved = boards(TRANSFER.name)
    except DataMissingError as error:
        raise DataMissingError(
            f"{error} A run that was trained on another corpus is one made with --train-on, for example: erc-bench run "
            "--system tfidf-logreg --train-on dailydialog --dataset meld"
        ) from None
    try:
        ordinary = boards(UTTERANCE.name).boards
    except DataMissingError:
        ordinary = ()
    every = matrices([*moved.boards, *ordinary])
    if system is not None and system not in every:
        raise UnknownNameError("a system that was trained on another corpus", system, every)
    return every if system is None else {system: every[system]}, moved.problems


def corpora(cells: Sequence[Cell]) -> tuple[list[str], list[str]]:
    """The training corpora and the test corpora of a matrix, alike in their order."""
    return sorted({cell.train for cell in cells}), sorted({cell.test for cell in cells})


def matrix_table(cells: Sequence[Cell]) -> TextTable:
    """A row a training corpus, a column a test corpus, each cell a score with its interval and the system's own."""
    rows, columns = corpora(cells)
    known = {(cell.train, cell.test): cell for cell in cells}
    metrics = {cell.test: cell.metric for cell in cells}
    names = ("trained on", *(f"{test}, {metrics[test].words}" for test in columns))
    return TextTable(
        names,
        (False, *(True for _ in columns)),
        tuple((train, *(_shown(known.get((train, test))) for test in columns)) for train in rows),
    )


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return MISSING
    text = with_interval(cell.metric, cell.score)
    return text if cell.own is None else f"{text} / {cell.metric.text(cell.own.value)}"


def pair_table(every: Matrices) -> TextTable:
    """A row a system and pair of corpora: what counts, the score, its difference from the own one, and what was not seen."""
    names = (
        *("system", "trained on", "tested on", "labels", "utterances", "metric", f"score{INTERVAL}", f"own{INTERVAL}"),
        *(f"difference{INTERVAL}", "p", f"{NOT_VERBATIM.name}{INTERVAL}", "seeds"),
    )
    numeric = tuple(name not in ("system", "trained on", "tested on", "metric") for name in names)
    return TextTable(names, numeric, tuple(_pair(cell) for cells in every.values() for cell in cells))


def _pair(cell: Cell) -> tuple[str, ...]:
    difference = MISSING
    if cell.difference is not None:
        low, high = (signed(cell.metric, limit) for limit in cell.difference.interval)
        difference = f"{signed(cell.metric, cell.difference.difference)} [{low}, {high}]"
    return (
        cell.system,
        cell.train,
        cell.test,
        f"{cell.labels}",
        f"{cell.utterances:,}",
        cell.metric.words,
        with_interval(cell.metric, cell.score),
        with_interval(cell.metric, cell.own),
        difference,
        MISSING if cell.difference is None else p_text(cell.difference.p_value),
        with_interval(cell.metric, cell.not_verbatim),
        MISSING if cell.seeds is None else f"{cell.seeds}",
    )
