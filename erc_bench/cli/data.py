"""`erc-bench data`: list, download, verify and audit datasets."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erc_bench.cli import options
from erc_bench.contract.domain import SPLITS, Split

if TYPE_CHECKING:
    from rich.console import Console

    from erc_bench.data.load import Inspection
    from erc_bench.data.spec import SplitFacts
    from erc_bench.inspection.audit import Audit


@click.group(cls=options.Group, epilog="\b\nExamples:\n  erc-bench data list\n  erc-bench data download dailydialog")
def data() -> None:
    """List, download, verify and audit datasets."""


@data.command("list", epilog="\b\nExample:\n  erc-bench data list --json")
@options.as_json
def list_datasets(as_json: bool) -> None:
    """List the datasets: size, licence, reference, and where each lies."""
    from erc_bench.data import dataset_names

    entries = [_entry(name) for name in dataset_names()]
    if as_json:
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    click.echo("\n\n".join(_described(entry) for entry in entries))


def _entry(name: str) -> dict[str, Any]:
    """What is known of a dataset without reading it; only `name` and `error` where its package is broken."""
    from erc_bench.data import dataset_spec
    from erc_bench.data.locate import place_of
    from erc_bench.errors import DataError

    try:
        spec = dataset_spec(name)
    except DataError as error:
        return {"name": name, "error": str(error)}
    place = place_of(spec)
    return {
        "name": name,
        "title": spec.title,
        "labels": spec.labels.names,
        "neutral": spec.labels.neutral,
        "ranking_metric": spec.ranking_metric,
        "splits": {
            split: {"dialogues": counts.dialogues, "utterances": counts.utterances}
            for split, counts in (spec.facts.splits if spec.facts else {}).items()
        },
        "licence": spec.licence,
        "reference": spec.reference,
        "link": spec.link,
        "folder": str(place.folder) if place.present else None,
        "named_by": place.named_by,
        "get": f"erc-bench data download {name}" if spec.mirrors else spec.how_to_get,
    }


def _console() -> Console:
    """A console that wraps no table where there is no terminal whose width it would have to fit."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def _described(entry: dict[str, Any]) -> str:
    if "error" in entry:
        return f"{entry['name']}\n  error      {entry['error']}"
    sizes = "; ".join(
        f"{split} {counts['dialogues']:,} dialogues, {counts['utterances']:,} utterances"
        for split, counts in entry["splits"].items()
    )
    if entry["folder"]:
        lies = f"{entry['folder']} ({entry['named_by']})"
    elif entry["named_by"] == "the download folder":
        lies = f"not downloaded: {entry['get']}"
    else:
        lies = f"not in the folder named by {entry['named_by']}: {entry['get']}"
    fields = {
        "what": entry["title"],
        "splits": sizes or "not known before it is read",
        "labels": ", ".join(entry["labels"]),
        "licence": entry["licence"],
        "reference": entry["reference"],
        "link": entry["link"],
        "lies in": lies,
    }
    return "\n".join([entry["name"], *(f"  {field:<10} {value}" for field, value in fields.items())])


@data.command(
    epilog="\b\nExamples:\n  erc-bench data download dailydialog\n"
    "  erc-bench data download dailydialog --url https://example.org/mirror/dailydialog"
)
@click.argument("name")
@click.option(
    "--url",
    envvar="ERC_BENCH_DATA_URL",
    show_envvar=True,
    help="Only this mirror: the address of one archive (….zip), or a base below which the official files lie.",
)
@click.option("--force", is_flag=True, help="Download again even if a complete copy is there.")
def download(name: str, url: str | None, force: bool) -> None:
    """Download a dataset and check it; prints the folder that holds it.

    Mirrors are tried in turn. An interrupted download leaves nothing behind that looks complete. The folder is below
    ERC_BENCH_HOME, by default the user's data folder.
    """
    from erc_bench.data.download import download as fetch
    from erc_bench.data.spec import Mirror
    from erc_bench.progress import default_progress

    mirrors = None if url is None else [Mirror("the mirror given", url)]
    click.echo(fetch(name, progress=default_progress(), mirrors=mirrors, force=force))


@data.command(
    epilog="\b\nExamples:\n  erc-bench data verify dailydialog\n"
    "  erc-bench data verify dailydialog --data-dir ~/corpora/dailydialog --json"
)
@click.argument("name")
@options.data_dir
@options.as_json
def verify(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Check a dataset: files, structure, counts, labels, content. Ends with 3 if anything is wrong."""
    from erc_bench.data.load import inspect_dataset

    inspection = inspect_dataset(name, data_dir=data_dir)
    if as_json:
        click.echo(json.dumps(_verified(inspection), indent=2, ensure_ascii=False))
    else:
        _print_verified(inspection)
    if inspection.dataset is None:
        raise inspection.refusal()


def _verified(inspection: Inspection) -> dict[str, Any]:
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


def _print_verified(inspection: Inspection) -> None:
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
        click.echo(f"{spec.name} in {inspection.place.folder} is {known}.")
        click.echo(f"fingerprint {inspection.dataset.fingerprint}")


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


@data.command(
    epilog="\b\nExamples:\n  erc-bench data audit dailydialog\n  erc-bench data audit sample --json > audit.json"
)
@click.argument("name")
@options.data_dir
@options.as_json
def audit(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Find what a dataset repeats, across splits and within them, and how far repeated labels agree.

    Test dialogues that stand in the training split favour systems that memorise. The labels of a dialogue that was
    annotated twice, scored against each other, estimate what annotators themselves reach.
    """
    from erc_bench.data.load import load_dataset
    from erc_bench.inspection.audit import audit as audited
    from erc_bench.progress import default_progress

    dataset = load_dataset(name, data_dir=data_dir)
    outcome = audited(dataset, progress=default_progress())
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(outcome), indent=2))
    else:
        _print_audit(outcome)


def _print_audit(outcome: Audit) -> None:
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
    click.echo(
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
    click.echo(
        "\nEqual: case and white space folded. Near: Jaccard similarity of at least 0.8 (dialogues: runs of three words;\n"
        "utterances of five words or more: runs of five characters). The last table scores the labels of a dialogue\n"
        "against those of its first equal that is cut into the same turns: an estimate of what annotators reach."
    )


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f}%" if total else "-"
