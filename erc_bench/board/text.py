"""The tables of a board as cells of plain text, which Markdown, the terminal and LaTeX lay out each in its way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from erc_bench.board.contrasts import Answer
from erc_bench.board.model import Board
from erc_bench.board.published import CHECKED
from erc_bench.board.words import MISSING, count_text, duration_text, p_text, signed
from erc_bench.protocols.rows import Column, Row, Score, Section
from erc_bench.protocols.subsets import ALL, SUBSETS, subsets_beside
from erc_bench.scoring.catalogue import UNUSABLE_RATE, headline, over_all_labels
from erc_bench.scoring.limits import LEVEL
from erc_bench.scoring.metric import PERCENT, Metric
from erc_bench.scoring.significance import ALPHA

DOCUMENTATION = "docs/protocols-and-metrics.md"
INTERVAL = f" [{LEVEL:.0%}]"
TEXT_COLUMNS = ("system", "context", "flags")
TESTED = "✓"
FLOOR = "(floor)"
CONTROL = "(control)"


@dataclass(frozen=True, slots=True)
class TextTable:
    """A heading a column and the cells of each row; `numeric` columns are set flush right."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def measured_table(board: Board, protocol: str) -> TextTable:
    """The measured rows of a protocol, best first, in the columns that the protocol has."""
    return _ranked_table(board, protocol) if is_ranked(board, protocol) else _laid_out_table(board, protocol)


def is_ranked(board: Board, protocol: str) -> bool:
    """Whether the rows of a protocol are ranked, and not laid out as the protocol says."""
    return all(section.layout is None for section in board.sections if section.protocol == protocol)


def _laid_out_table(board: Board, protocol: str) -> TextTable:
    """The rows of all sections of a protocol in the columns of its layout."""
    names: tuple[str, ...] = ()
    rows = []
    for section in board.sections:
        if section.protocol != protocol or section.layout is None:
            continue
        layout = section.layout
        names = ("system", *(column.heading for column in layout.columns), *layout.facts)
        first: tuple[str, ...] = ()
        if layout.subset is not None:
            names, first = (layout.subset[0], *names), (layout.subset[1],)
        for row in section.rows:
            title = f"{row.title} {CONTROL}" if row.floor else row.title
            scores = (_laid_out(row, column) for column in layout.columns)
            rows.append((*first, title, *scores, *(_fact(row, fact) for fact in layout.facts)))
    return TextTable(names, tuple(name not in TEXT_COLUMNS for name in names), tuple(rows))


def _laid_out(row: Row, column: Column) -> str:
    if column.metric is None:
        return PERCENT.text(row.per_label.get(column.label, {}).get("f1"))
    metric, score = column.metric, row.scores.get(column.metric.name)
    if score is not None and score.deviation is not None:
        return f"{metric.text(score.value)} ± {metric.text(score.deviation)}"
    return with_interval(metric, score)


def _fact(row: Row, fact: str) -> str:
    known = {"seeds": f"{row.seeds}" if row.seeds else "", "context": row.context, "flags": "; ".join(row.flags)}
    return known[fact] or MISSING


def _ranked_table(board: Board, protocol: str) -> TextTable:
    """Each row with its score on the other subsets beside the full one."""
    others = [subset.name for subset in subsets_beside() if board.section(protocol, subset.name)]
    elsewhere = [{row.title: row for row in board.rows(protocol, subset)} for subset in others]
    metrics, further = headline(board.ranking), over_all_labels(board.ranking)
    columns = (
        ("rank", True),
        ("system", False),
        *((f"{metric.words}{INTERVAL}", True) for metric in metrics),
        *((f"{subset} {board.ranking.words}{INTERVAL}", True) for subset in others),
        *((metric.words, True) for metric in further),
        ("unusable", True),
        ("seeds", True),
        ("context", False),
        ("decision", False),
        ("parameters", True),
        ("training", True),
        ("utt/s", True),
        ("evidence", False),
    )
    rows = [
        _measured(row, [other.get(row.title) for other in elsewhere], metrics, further) for row in board.rows(protocol)
    ]
    return TextTable(tuple(name for name, _ in columns), tuple(right for _, right in columns), tuple(rows))


def _measured(
    row: Row, elsewhere: Sequence[Row | None], metrics: Sequence[Metric], further: Sequence[Metric]
) -> tuple[str, ...]:
    ranking = metrics[0]
    deviation = row.scores[ranking.name].deviation
    unusable = row.scores.get(UNUSABLE_RATE.name)
    return (
        row.rank.replace("-", MISSING) or MISSING,
        f"{row.title} {FLOOR}" if row.floor else row.title,
        *(with_interval(metric, row.scores.get(metric.name)) for metric in metrics),
        *(with_interval(ranking, other.scores.get(ranking.name) if other else None) for other in elsewhere),
        *(metric.text(row.scores[metric.name].value if metric.name in row.scores else None) for metric in further),
        UNUSABLE_RATE.text(unusable.value if unusable else None),
        f"{row.seeds}" if deviation is None else f"{row.seeds} (± {ranking.text(deviation)})",
        f"{row.context} {TESTED}" if row.context_tested else row.context or MISSING,
        row.decision or MISSING,
        count_text(row.parameters),
        duration_text(row.train_seconds),
        count_text(row.utterances_per_second),
        row.evidence,
    )


def tables_apart(board: Board, protocol: str) -> Iterator[tuple[Section, TextTable]]:
    """The sections of a protocol that stand in no column beside the whole test split, each with a table of its own."""
    metrics = (*headline(board.ranking), *over_all_labels(board.ranking))
    names = ("system", *(f"{metric.words}{INTERVAL}" for metric in metrics), "decision", "evidence")
    for section in board.sections:
        known = SUBSETS.get(section.subset)
        if section.protocol == protocol and known is not None and not known.beside:
            rows = [
                (
                    f"{row.title} {FLOOR}" if row.floor else row.title,
                    *(with_interval(metric, row.scores.get(metric.name)) for metric in metrics),
                    row.decision or MISSING,
                    row.evidence,
                )
                for row in section.rows
            ]
            yield section, TextTable(names, tuple(name.endswith(INTERVAL) for name in names), tuple(rows))


def contrast_table(contrasts: Sequence[Answer]) -> TextTable:
    """Planned contrasts in their order, with effect, raw and corrected p; "not run yet" where a row is missing."""
    names = (*("family", "question", "A", "B", "subset", "metric"), f"A − B{INTERVAL}", "p", "p corrected", "written")
    rows = []
    for each in contrasts:
        asked, found, metric = each.contrast, each.comparison, each.metric
        answer = ["not run yet", MISSING, MISSING, MISSING]
        if found is not None:
            low, high = signed(metric, found.interval.low), signed(metric, found.interval.high)
            answer = [
                f"{signed(metric, found.difference)} [{low}, {high}]",
                p_text(found.p_value),
                p_text(1.0 if each.corrected is None else each.corrected),
                each.written,
            ]
        rows.append((asked.family, asked.question, asked.a, asked.b, asked.subset, metric.words, *answer))
    return TextTable(names, tuple(name in names[6:9] for name in names), tuple(rows))


def contrast_method() -> str:
    """How planned contrasts are tested, and how they differ from ranks."""
    return (
        "Questions that were written down, each tested by itself: paired, by dialogue. p corrected: Holm's correction for all "
        "questions of the family on this protocol, those not run yet included. Written: whether the question was written down "
        "before a run of one of its two rows began, or which scores of theirs were known. At "
        f"{ALPHA:.0%} a family makes a false claim in at most that share of test sets; ranks correct for every pair of systems "
        "instead."
    )


def with_interval(metric: Metric, score: Score | None) -> str:
    """`43.37 [40.10, 46.52]`."""
    if score is None:
        return MISSING
    value = metric.text(score.value)
    if score.low is None or score.high is None:
        return value
    return f"{value} [{metric.text(score.low)}, {metric.text(score.high)}]"


def published_table(board: Board) -> TextTable:
    """The published results, in the order of their file, in the metrics that any of them states."""
    metrics = published_metrics(board)
    columns = ("system", "reference", "protocol", *(metric.words for metric in metrics), "flags", "checked", "source")
    numeric = (*[False] * 3, *[True] * len(metrics), *[False] * 3)
    rows = [
        (
            row.title,
            row.reference,
            row.protocol,
            *(published_score(row, metric) for metric in metrics),
            "; ".join(row.flags) or MISSING,
            row.checked or MISSING,
            row.source,
        )
        for row in board.published
    ]
    return TextTable(columns, numeric, tuple(rows))


def published_metrics(board: Board) -> list[Metric]:
    """The metrics that published results of a dataset state, in the order of its measured columns."""
    stated = {name for row in board.published for name in row.scores}
    every = (*headline(board.ranking), *over_all_labels(board.ranking))
    return [metric for metric in every if metric.name in stated]


def published_score(row: Row, metric: Metric) -> str:
    """A score as its source prints it: F1 with two decimals, MCC with two."""
    score = row.scores.get(metric.name)
    return MISSING if score is None else f"{score.value:.2f}"


def provenance(board: Board) -> str:
    """What the numbers of a dataset were computed on."""
    sizes = "; ".join(
        f"{split} {dialogues:,} dialogues, {utterances:,} utterances"
        for split, (dialogues, utterances) in board.sizes.items()
    )
    labels = f"{len(board.labels)} labels."
    if not sizes:
        return f"{board.dataset}: {labels}"
    return f"{board.dataset}, content SHA-256 {board.fingerprint[:12]}…: {sizes}; {labels}"


def method(board: Board) -> str:
    """How the scores, intervals and ranks of measured rows are computed."""
    neutral, emotions, ranking = board.labels.neutral, len(board.labels.emotions), board.ranking.words
    left_out = f" ({neutral!r} is left out of the labels, not of the utterances)" if neutral is not None else ""
    return (
        f"F1 in percent, over the {emotions} emotions{left_out} where the column does not say all labels; accuracy in percent, "
        f"MCC over all {len(board.labels)} labels. Brackets: {LEVEL:.0%} intervals over whole dialogues and seeds. "
        f"Rank: by {ranking}; rows that a paired test at {ALPHA:.0%} (by dialogue, Holm-corrected over all "
        f"pairs) cannot tell apart share one, which is no proof that they are equal. {_subsets()}"
        "Unusable: answers that are no label, counted as wrong. Seeds: their number and the standard deviation of "
        f"{ranking}. Context: what the system reads, {TESTED} where withholding the rest changed no answer. {FLOOR}: a trivial "
        "predictor, without a rank; the notes name the rows that were not shown to be better than all of these, and those that "
        "no reader would choose, which have no rank and no part in its correction."
    )


def _subsets() -> str:
    """What the subsets beside the whole test split are: `Novel: without the test dialogues that …. `"""
    return "".join(f"{subset.name.capitalize()}: {subset.short}. " for subset in subsets_beside())


def scope(board: Board, protocol: str) -> str:
    """What a protocol's rows were computed on: `All: 1,000 dialogues, …; novel: …`, or the test split."""
    found = [section for section in board.sections if section.protocol == protocol]
    if is_ranked(board, protocol):
        text = "; ".join(f"{section.subset}: {size(section)}" for section in found if section.ranked)
        return f"{text[:1].upper()}{text[1:]}."
    return f"Test split: {size(found[0])}."


def size(section: Section) -> str:
    """`1,000 dialogues, 7,740 utterances`."""
    return f"{section.dialogues:,} dialogues, {section.utterances:,} utterances"


def notes(board: Board, protocol: str) -> Iterator[str]:
    """What a reader of the protocol's rows must know beside them."""
    empty: dict[str, list[str]] = {}
    for subset in (ALL.name, *(other.name for other in subsets_beside())):
        labels = {label for row in board.rows(protocol, subset) for label in row.without_support}
        for label in board.labels.names:
            if label in labels:
                empty.setdefault(label, []).append(subset)
    for label, subsets in empty.items():
        where = ", ".join(subsets)
        yield f"No utterance has the label {label!r} (subset {where}): it scores 0 in the macro F1 of every row."
    below = [row.title for row in board.rows(protocol) if row.above_floors is False]
    if below:
        yield f"Not shown to be better than every floor: {'; '.join(below)}."
    # The rows of other subsets of dialogues say nothing that those of the whole test split do not.
    others = SUBSETS.keys() - {ALL.name}
    shown = {
        (row.title, row.notes): row
        for section in board.sections
        if section.protocol == protocol and section.subset not in others
        for row in section.rows
    }.values()
    common = set.intersection(*(set(row.notes) for row in shown)) if len(shown) > 1 else set()
    yield from sorted(common)
    for row in shown:
        if row.unusable_as_neutral:
            read = ", ".join(
                f"{metric.words} {metric.text(row.unusable_as_neutral.get(metric.name))}"
                for metric in headline(board.ranking)
            )
            yield f"{row.title}: with unusable answers read as {board.labels.neutral!r}, {read}."
        if row.evidence == "predictions":
            yield f"{row.title}: predictions made elsewhere, scored from a file ({row.source})."
        yield from (f"{row.title}: {note}" for note in row.notes if note not in common)


def checked_legend(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Every way in which published rows were checked, with what it means, in the order of first appearance."""
    yield from {row.checked: CHECKED[row.checked] for row in rows if row.checked in CHECKED}.items()


def flag_legend(rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Every flag of published rows with what it means, in the order of first appearance."""
    yield from {flag: note for row in rows for flag, note in zip(row.flags, row.notes, strict=True)}.items()
