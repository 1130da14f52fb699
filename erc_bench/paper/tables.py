"""Tables 1 to 5 of the paper."""

from __future__ import annotations

from collections.abc import Iterator

from erc_bench.board.published import PublishedResult, published_results
from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.contract.system import NO_DECISION
from erc_bench.paper import notes
from erc_bench.paper.forced import forced_choice
from erc_bench.paper.measure import Measurements, Scored, of_matrix
from erc_bench.paper.model import Column, Line, Table, protocol_name, scored_line
from erc_bench.paper.published import PUBLISHED_ON, PaperTables, paper_labels, paper_tables
from erc_bench.protocols.emotional import EMOTIONAL
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.registry import find_protocol
from erc_bench.protocols.rows import Row, Score
from erc_bench.protocols.triplet.protocol import TRIPLET
from erc_bench.protocols.utterance import UTTERANCE

SEC = "SentEmoContext"
AS_DESCRIBED = "SentEmoContext, as described"
NOT_IN_TABLE = "not in Table 2"
SCORES = (
    Column("macro_f1", "macro F1*", "percent"),
    Column("micro_f1", "micro F1*", "percent"),
    Column("mcc", "MCC", "mcc"),
)
PER_LABEL = (
    Column("precision", "P", "share"),
    Column("recall", "R", "share"),
    Column("f1", "F1", "share"),
    Column("support", "Supp.", "count"),
)
WEIGHTED = (Column("precision", "P", "percent"), Column("recall", "R", "percent"), *SCORES)


def table_1(dataset: Dataset) -> Table:
    """Dataset statistics."""
    lengths = [len(dialogue) for split in SPLITS for dialogue in dataset.split(split)]
    measured = {
        "Max Msg/Conv": f"{max(lengths)}",
        "Avg Msg/Conv": f"{sum(lengths) / len(lengths):.2f}",
        "Labels": f"{len(dataset.labels)}",
        "Emotion Labels": f"{len(dataset.labels.emotions)}",
        "Nb. Conv.": f"{len(lengths):,}",
    }
    lines = [
        Line(
            "",
            name,
            "",
            {"value": value},
            {"value": measured[name]} if name in measured else {},
            dataset.name if name in measured else "",
            "" if name in measured else "stated by the authors of the dataset, not measured",
        )
        for name, value in paper_tables().table_1.items()
    ]
    return Table(
        "table-1",
        "Table 1: main statistics of the dataset",
        (Column("value", "Value"),),
        tuple(lines),
        notes.table_1(dataset),
    )


def table_2(found: Measurements) -> Table:
    """All results on the test set, then everything measured here."""
    lines = [
        *_published_lines(found, in_table=True),
        *_ours(found),
        *_published_lines(found, in_table=False),
        *_utterance_lines(found),
        *_triplet_lines(found),
    ]
    return Table(
        "table-2",
        "Table 2: all results on the test set",
        SCORES,
        tuple(lines),
        notes.table_2(found, published_results(PUBLISHED_ON)),
    )


def _published_lines(found: Measurements, *, in_table: bool) -> Iterator[Line]:
    for result in published_results(PUBLISHED_ON):
        if result.system == SEC or (NOT_IN_TABLE in result.flags) is in_table:
            continue
        block = "State-of-the-art models on ERC" if in_table else "Reported before the paper, missing from its Table 2"
        name = f"{result.system} ({result.reference})"
        yield _published_line(found, block, name, result.system, find_protocol(result.protocol), _cells(result))


def _published_line(
    found: Measurements, block: str, name: str, system: str, protocol: Protocol, cells: dict[str, str]
) -> Line:
    counterpart = paper_tables().counterparts.get(system)
    if counterpart is None:
        scored = found.score(found.named(score_name(system)), protocol)
        missing = "" if scored else _score_command(system, found.dataset.name)
    else:
        scored, missing = found.standing_for(counterpart, protocol)
    return scored_line(block, name, protocol, scored, SCORES, published=cells, missing=missing)


def score_name(system: str) -> str:
    """The name under which predictions of a published system are scored here: names of rows have no spaces."""
    return system.replace(" ", "-")


def _score_command(system: str, dataset: str) -> str:
    command = f"erc-bench score FILE --name {score_name(system)}"
    return command if dataset == PUBLISHED_ON else f"{command} --dataset {dataset}"


def _cells(result: PublishedResult) -> dict[str, str]:
    values = {"macro_f1": result.macro_f1, "micro_f1": result.micro_f1, "mcc": result.mcc}
    return {name: f"{value:.2f}" for name, value in values.items() if value is not None}


def _ours(found: Measurements) -> Iterator[Line]:
    tables = paper_tables()
    result = next(result for result in published_results(PUBLISHED_ON) if result.system == SEC)
    name = f"{SEC} ({result.reference})"
    yield _published_line(found, "Ours", name, SEC, TRIPLET, _cells(result))
    for title, key in ((f"{SEC}, released code", SEC), (AS_DESCRIBED, AS_DESCRIBED)):
        counterpart = tables.counterparts[key]
        for protocol in [UTTERANCE] if key == SEC else [UTTERANCE, TRIPLET]:
            scored, missing = found.standing_for(counterpart, protocol)
            yield scored_line("Ours", title, protocol, scored, SCORES, missing=missing)


def _measured_lines(found: Measurements, protocol: Protocol, block: str) -> Iterator[Line]:
    for scored in found.under(protocol):
        yield scored_line(block, scored.title, protocol, scored, SCORES)


def _expected_lines(found: Measurements, protocol: Protocol, block: str) -> Iterator[Line]:
    for counterpart in paper_tables().expected:
        scored, missing = found.standing_for(counterpart, protocol)
        if scored is None:
            yield scored_line(block, counterpart.title, protocol, None, SCORES, missing=missing)


def _utterance_lines(found: Measurements) -> Iterator[Line]:
    block = "Measured here, every utterance"
    yield from _measured_lines(found, UTTERANCE, block)
    yield from _expected_lines(found, UTTERANCE, block)


def _triplet_lines(found: Measurements) -> Iterator[Line]:
    block = "Measured here, random triplets (as the released code scores) with their controls"
    yield from _measured_lines(found, TRIPLET, block)
    for scored in found.controls():
        yield scored_line(block, scored.title, TRIPLET, scored, SCORES)
    yield from _expected_lines(found, TRIPLET, block)


def table_3(found: Measurements) -> Table:
    """Scores by label: as published (triplets), then with every utterance labelled."""
    tables = paper_tables()
    lines: list[Line] = []
    for block, key, protocol in (
        ("Random triplets, as published", SEC, TRIPLET),
        ("Every utterance, system as described", AS_DESCRIBED, UTTERANCE),
    ):
        counterpart = tables.counterparts[key]
        scored, missing = found.standing_for(counterpart, protocol)
        for label in found.dataset.labels.names:
            published = tables.row("table_3", label) if key == SEC else {}
            measured = scored.row.per_label[label] if scored else {}
            lines.append(
                Line(
                    block,
                    label,
                    protocol_name(protocol),
                    published,
                    {name: Score(value if name == "support" else value / 100) for name, value in measured.items()},
                    scored.measured_by if scored else "",
                    missing,
                )
            )
    title = "Table 3: emotion prediction by label (shares; support is a mean over resamplings and seeds)"
    return Table("table-3", title, PER_LABEL, tuple(lines), notes.table_3(found.dataset))


def table_4(found: Measurements) -> Table:
    """The utterance classifier trained on the six emotions against the contextual system."""
    tables = paper_tables()
    lines = [
        _table_4_line(found, "As published", name, name, protocol, tables.row("table_4", name))
        for name, protocol in (("all-MiniLM-L6-v2", EMOTIONAL), (SEC, TRIPLET))
    ]
    block = "The same systems on the same utterances"
    for protocol in (EMOTIONAL, UTTERANCE):
        for name in ("all-MiniLM-L6-v2", AS_DESCRIBED):
            if (name, protocol) != ("all-MiniLM-L6-v2", EMOTIONAL):
                lines.append(_table_4_line(found, block, name, name, protocol, {}))
    lines += _forced_lines(found)
    title = "Table 4: comparison with a direct emotion classification at the utterance level"
    return Table("table-4", title, SCORES, tuple(lines), notes.table_4(found.dataset))


def _forced_lines(found: Measurements) -> Iterator[Line]:
    """Every row that compares scores, beside the answer that may be the neutral label; dashes where they were not kept."""
    block = "Emotional utterances, by the scores of each run: the best of the emotions, and the answer as given"
    for given in found.under(EMOTIONAL):
        if given.row.decision in ("", NO_DECISION) or given.row.floor:
            continue
        named = next(row for row in found.rows if row.title == given.title)
        forced = forced_choice(found, named)
        missing = "" if forced else f"records of its runs hold labels only: {given.row.source}"
        yield scored_line(block, f"{given.title}, forced choice", EMOTIONAL, forced, SCORES, missing=missing)
        yield scored_line(block, f"{given.title}, as given", EMOTIONAL, given, SCORES)


def _table_4_line(
    found: Measurements, block: str, name: str, key: str, protocol: Protocol, published: dict[str, str]
) -> Line:
    counterpart = paper_tables().counterparts[key]
    scored, missing = found.standing_for(counterpart, protocol)
    return scored_line(block, name, protocol, scored, SCORES, published=published, missing=missing)


def table_5(found: Measurements) -> Table:
    """Language models on last turns, with what the released confusion matrices give, and every row on these turns."""
    tables = paper_tables()
    lines = []
    for name in tables.table_5:
        counterpart = tables.counterparts[name]
        scored, missing = found.standing_for(counterpart, LAST_TURN)
        lines.append(
            scored_line(
                "As published",
                name,
                LAST_TURN,
                scored,
                WEIGHTED,
                published=tables.row("table_5", name),
                missing=missing,
            )
        )
    lines += _recomputed(tables)
    block = "Measured here, last turns"
    lines += [scored_line(block, scored.title, LAST_TURN, scored, WEIGHTED) for scored in found.under(LAST_TURN)]
    title = "Table 5: language models, last utterance of each test dialogue (P and R weighted by support)"
    return Table("table-5", title, WEIGHTED, tuple(lines), notes.table_5(found, tables))


def _recomputed(tables: PaperTables) -> Iterator[Line]:
    for name in tables.confusions:
        values = of_matrix(tables.confusion(name), paper_labels())
        row = Row(name, PUBLISHED_ON, LAST_TURN.name, "", "published", "", scores=values)
        scored = Scored(row, "released confusion matrix")
        yield scored_line(
            "Recomputed from the released confusion matrix",
            name,
            LAST_TURN,
            scored,
            WEIGHTED,
            published=tables.row("table_5", name),
        )
