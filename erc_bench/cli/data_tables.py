"""How `erc-bench data` shows what it found: tables on stdout, or one JSON object."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from erc_bench.cli.output import say
from erc_bench.contract.domain import SPLITS, Split

if TYPE_CHECKING:
    from rich.console import Console

    from erc_bench.data.load import Inspection
    from erc_bench.data.spec import DatasetSpec, SplitFacts
    from erc_bench.inspection.against import Against
    from erc_bench.inspection.audit import Audit


def _console() -> Console:
    """A console that wraps no table where there is no terminal whose width it would have to fit."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def verified(inspection: Inspection) -> dict[str, Any]:
    """The outcome as JSON; a split that could not be read is null, and so is what is expected where no facts are known."""
    facts = inspection.spec.facts
    return {
        "name": inspection.spec.name,
        "folder": str(inspection.place.folder),
        "ok": inspection.dataset is not None,
        "fingerprint": inspection.dataset.fingerprint if inspection.dataset else None,
        "expected_fingerprint": facts.fingerprint if facts else None,
        "splits": {
            split: (
                dataclasses.asdict(inspection.measured[split])
                | {"file_sha256": inspection.files[split], "file": _file(inspection, split)}
                if split in inspection.measured
                else None
            )
            for split in SPLITS
        },
        "expected": {split: dataclasses.asdict(expected) for split, expected in facts.splits.items()}
        if facts
        else None,
        "problems": list(inspection.problems),
    }


def print_verified(inspection: Inspection) -> None:
    """Counts, files and content of every split beside what they must be."""
    from rich.table import Table

    spec = inspection.spec
    table = Table("", box=None, header_style="bold")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for row in ("dialogues", "utterances", *spec.labels.names):
        table.add_row(row, *(_count_cell(inspection, split, row) for split in SPLITS))
    table.add_row("file", *(_file(inspection, split) for split in SPLITS))
    table.add_row("content", *(_content(inspection, split) for split in SPLITS))
    _console().print(table)
    if inspection.dataset:
        known = "complete and unaltered" if spec.facts else "well-formed; no facts of an official release are known"
        say(f"{spec.name} in {inspection.place.folder} is {known}.")
        say(f"fingerprint {inspection.dataset.fingerprint}")


def common_labels(specs: Sequence[DatasetSpec]) -> list[dict[str, Any]]:
    """Each common word with its meaning, the label of each dataset that has it, and why; then labels without a word."""
    from erc_bench.data.common_labels import common_words, reason_of

    found: list[dict[str, Any]] = []
    for word, meaning in common_words().items():
        having = {spec.name: label for spec in specs for label, said in spec.common_labels.items() if said == word}
        why = {name: reason for name, label in having.items() if (reason := reason_of(name, label))}
        if having:
            found.append({"word": word, "meaning": meaning, "labels": having, "why": why})
    without = {s.name: left for s in specs if (left := [n for n in s.labels.names if n not in s.common_labels])}
    return [*found, {"word": None, "meaning": "no common word", "labels": without, "why": {}}] if without else found


def print_common_labels(found: Sequence[dict[str, Any]]) -> None:
    """A word a line with the labels that stand for it, and the reasons below each other."""
    for entry in found:
        say(f"{entry['word'] or '-'}: {entry['meaning']}")
        for name, label in entry["labels"].items():
            shown = label if isinstance(label, str) else ", ".join(label)
            say(f"  {name:<12} {shown:<12} {entry['why'].get(name, '')}".rstrip())


def _count(counts: SplitFacts, row: str) -> int:
    count: int = counts.labels[row] if row in counts.labels else getattr(counts, row)
    return count


def _count_cell(inspection: Inspection, split: Split, row: str) -> str:
    if split not in inspection.measured:
        return "not readable"
    got = _count(inspection.measured[split], row)
    expected = _count(inspection.spec.facts.splits[split], row) if inspection.spec.facts else got
    return f"{got:,}" if got == expected else f"[red]{got:,}, not {expected:,}[/red]"


def _file(inspection: Inspection, split: Split) -> str:
    if split not in inspection.measured:
        return "not readable"
    digest, facts = inspection.files[split], inspection.spec.facts
    if digest is None:
        return "several"
    official = facts.splits[split].file_sha256 if facts else None
    return "not known" if official is None else "official" if digest == official else "another"


def _content(inspection: Inspection, split: Split) -> str:
    if split not in inspection.measured:
        return "not readable"
    facts = inspection.spec.facts
    if facts is None:
        return "not known"
    same = inspection.measured[split].fingerprint == facts.splits[split].fingerprint
    return "ok" if same else "[red]differs[/red]"


def print_audit(outcome: Audit) -> None:
    """What a dataset repeats, as tables and in words."""
    from rich.table import Table

    console = _console()
    for what, repeats in (("dialogues", outcome.dialogues), ("utterances", outcome.utterances)):
        table = Table(what, box=None, header_style="bold")
        for column in ("all", "equal", "", "equal or near", ""):
            table.add_column(column, justify="right")
        for row in repeats:
            where = f"{row.of}, in {row.among}" if row.of != row.among else f"{row.of}, repeated in it"
            counts = (cell for count in (row.exact, row.near) for cell in (f"{count:,}", _share(count, row.total)))
            table.add_row(where, f"{row.total:,}", *counts)
        console.print(table, "")
    conflicts = outcome.conflicts
    say(
        f"Of {conflicts.texts_repeated:,} utterance texts that occur more than once (in {conflicts.utterances_repeated:,} "
        f"utterances), {conflicts.texts_in_conflict:,} have different labels "
        f"({_share(conflicts.texts_in_conflict, conflicts.texts_repeated)}; in {conflicts.utterances_in_conflict:,} "
        "utterances).\n"
    )
    table = Table("equal dialogues", box=None, header_style="bold")
    for column in ("compared", "differ", "utterances", "agree", "micro F1", "macro F1", "MCC"):
        table.add_column(column, justify="right")
    for twins in outcome.agreement:
        scores = [f"{twins.agreement:.1f}%", f"{twins.micro_f1:.1f}", f"{twins.macro_f1:.1f}", f"{twins.mcc:.2f}"]
        table.add_row(
            f"{twins.of}, {twins.among}",
            f"{twins.comparable:,} of {twins.dialogues:,}",
            f"{twins.in_conflict:,}",
            f"{twins.utterances:,}",
            *(scores if twins.utterances else ["-"] * 4),
        )
    console.print(table)
    say(
        "\nEqual: case and white space folded. Near: Jaccard similarity of at least 0.8 (dialogues: runs of three words;\n"
        "utterances of five words or more: runs of five characters). The last table scores the labels of a dialogue\n"
        "against those of its first equal that is cut into the same turns: an estimate of what annotators reach."
    )


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}%" if total else "-"


def print_against(outcome: Against) -> None:
    """What one corpus shares with another, as a table and in words."""
    from rich.table import Table

    table = Table(f"{outcome.name}, in {outcome.other}", box=None, header_style="bold")
    for column in ("long utterances", "shared", "", "dialogues", "with one", "", "equal"):
        table.add_column(column, justify="right")
    for row in outcome.shared:
        table.add_row(
            f"{row.of}, in {row.among}",
            *(f"{row.utterances:,}", f"{row.shared:,}", _share(row.shared, row.utterances)),
            *(f"{row.dialogues:,}", f"{row.dialogues_touched:,}", _share(row.dialogues_touched, row.dialogues)),
            f"{row.dialogues_equal:,}",
        )
    _console().print(table)
    say(
        "\nLong: six words or more. Shared: word for word in the other corpus, letters and digits folded. With one: dialogues\n"
        "that hold a shared utterance. Equal: dialogues that stand there as a whole, case and white space folded."
    )
