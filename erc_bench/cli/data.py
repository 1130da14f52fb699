"""`erc-bench data`: list, download, verify and audit datasets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erc_bench.cli import options

if TYPE_CHECKING:
    from erc_bench.data.load import Inspection
    from erc_bench.data.manifest import Manifest


def _manifest(ctx: click.Context) -> Manifest:
    """The manifest in the context's `obj`, by which other data can be put in place of the real; else the package's."""
    from erc_bench.data.manifest import Manifest, package_manifest

    return ctx.find_object(Manifest) or package_manifest()


@click.group(epilog="\b\nExamples:\n  erc-bench data list\n  erc-bench data download dailydialog")
def data() -> None:
    """List, download, verify and audit datasets."""


@data.command("list", epilog="\b\nExample:\n  erc-bench data list --json")
@options.as_json
@click.pass_context
def list_datasets(ctx: click.Context, as_json: bool) -> None:
    """List the datasets: size, licence, reference, and where each lies."""
    from erc_bench.data.locate import is_present, place_of

    entries = []
    for name, facts in _manifest(ctx).datasets.items():
        place = place_of(name)
        entries.append(
            {
                "name": name,
                "title": facts.title,
                "splits": {
                    split: {"dialogues": counts.dialogues, "utterances": counts.utterances}
                    for split, counts in facts.splits.items()
                },
                "licence": facts.licence,
                "reference": facts.reference,
                "link": facts.link,
                "folder": str(place.folder) if is_present(place) else None,
                "named_by": place.named_by,
            }
        )
    if as_json:
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    click.echo("\n\n".join(_described(entry) for entry in entries))


def _described(entry: dict[str, Any]) -> str:
    sizes = "; ".join(
        f"{split} {counts['dialogues']:,} dialogues, {counts['utterances']:,} utterances"
        for split, counts in entry["splits"].items()
    )
    if entry["folder"]:
        lies = f"{entry['folder']} ({entry['named_by']})"
    elif entry["named_by"] == "the download folder":
        lies = f"not downloaded: erc-bench data download {entry['name']}"
    else:
        lies = f"not in the folder named by {entry['named_by']}"
    fields = {
        "what": entry["title"],
        "splits": sizes,
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
    help="Only this mirror: the address of one archive (….zip), or a base below which train.zip, validation.zip and "
    "test.zip lie.",
)
@click.option("--force", is_flag=True, help="Download again even if a complete copy is there.")
@click.pass_context
def download(ctx: click.Context, name: str, url: str | None, force: bool) -> None:
    """Download a dataset and check it; prints the folder that holds it.

    Mirrors are tried in turn. An interrupted download leaves nothing behind that looks complete. The folder is below
    ERC_BENCH_HOME, by default the user's data folder.
    """
    from erc_bench.data.download import download as fetch
    from erc_bench.data.manifest import Mirror
    from erc_bench.progress import default_progress

    mirrors = None if url is None else [Mirror("the mirror given", url)]
    click.echo(fetch(name, progress=default_progress(), mirrors=mirrors, force=force, manifest=_manifest(ctx)))


@data.command(
    epilog="\b\nExamples:\n  erc-bench data verify dailydialog\n"
    "  erc-bench data verify dailydialog --data-dir ~/corpora/dailydialog --json"
)
@click.argument("name")
@options.data_dir
@options.as_json
@click.pass_context
def verify(ctx: click.Context, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Check a dataset: archives, structure, counts, labels, content. Ends with 3 if anything is wrong."""
    from erc_bench.data.load import inspect_dataset

    inspection = inspect_dataset(name, data_dir=data_dir, manifest=_manifest(ctx))
    if as_json:
        click.echo(json.dumps(_verified(inspection), indent=2, ensure_ascii=False))
    else:
        _print_verified(inspection)
    if inspection.dataset is None:
        raise inspection.refusal()


def _verified(inspection: Inspection) -> dict[str, Any]:
    """The outcome as JSON; a split that could not be read is null."""
    facts = inspection.facts
    return {
        "name": facts.name,
        "folder": str(inspection.place.folder),
        "ok": inspection.dataset is not None,
        "fingerprint": inspection.dataset.fingerprint if inspection.dataset else None,
        "expected_fingerprint": facts.fingerprint,
        "splits": {
            split: (
                dataclasses.asdict(inspection.measured[split])
                | {"archive_sha256": inspection.archives[split], "archive": _archive(inspection, split)}
                if split in inspection.measured
                else None
            )
            for split in facts.splits
        },
        "expected": {split: dataclasses.asdict(expected) for split, expected in facts.splits.items()},
        "problems": list(inspection.problems),
    }


def _print_verified(inspection: Inspection) -> None:
    from rich.console import Console
    from rich.table import Table

    facts = inspection.facts
    table = Table("", box=None, header_style="bold")
    for split in facts.splits:
        table.add_column(split, justify="right")
    rows = ["dialogues", "utterances", *next(iter(facts.splits.values())).labels]
    for row in rows:
        table.add_row(row, *(_count_cell(inspection, split, row) for split in facts.splits))
    table.add_row("archive", *(_archive(inspection, split) for split in facts.splits))
    table.add_row("content", *(_content(inspection, split) for split in facts.splits))
    Console(highlight=False).print(table)
    if inspection.dataset:
        click.echo(f"{facts.name} in {inspection.place.folder} is complete and unaltered.")
        click.echo(f"fingerprint {inspection.dataset.fingerprint}")


def _count(counts: Any, row: str) -> int:
    count: int = counts.labels[row] if row in counts.labels else getattr(counts, row)
    return count


def _count_cell(inspection: Inspection, split: Any, row: str) -> str:
    if split not in inspection.measured:
        return "not readable"
    got, expected = _count(inspection.measured[split], row), _count(inspection.facts.splits[split], row)
    return f"{got:,}" if got == expected else f"[red]{got:,}, not {expected:,}[/red]"


def _archive(inspection: Inspection, split: Any) -> str:
    if split not in inspection.measured:
        return "not readable"
    digest = inspection.archives[split]
    if digest is None:
        return "none (files)"
    return "official" if digest == inspection.facts.splits[split].archive_sha256 else "repacked"


def _content(inspection: Inspection, split: Any) -> str:
    same = (
        split in inspection.measured
        and inspection.measured[split].fingerprint == inspection.facts.splits[split].fingerprint
    )
    return "ok" if same else "[red]differs[/red]"
