"""`erc-bench data`: list, download, verify and audit datasets, and make one of your own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from erc_bench.cli import options
from erc_bench.cli.output import say


@click.group(cls=options.Group, epilog="\b\nExamples:\n  erc-bench data list\n  erc-bench data download dailydialog")
def data() -> None:
    """List, download, verify and audit datasets, and make one of your own."""


@data.command("list", epilog="\b\nExample:\n  erc-bench data list --json")
@options.as_json
def list_datasets(as_json: bool) -> None:
    """List the datasets: size, licence, reference, and where each lies."""
    from erc_bench.data import dataset_names

    entries = [_entry(name) for name in dataset_names()]
    if as_json:
        say(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    say("\n\n".join(_described(entry) for entry in entries))


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
    say(fetch(name, progress=default_progress(), mirrors=mirrors, force=force))


@data.command(
    epilog="\b\nExamples:\n  erc-bench data verify dailydialog\n"
    "  erc-bench data verify dailydialog --data-dir ~/corpora/dailydialog --json"
)
@click.argument("name")
@options.data_dir
@options.as_json
def verify(name: str, data_dir: Path | None, as_json: bool) -> None:
    """Check a dataset: files, structure, counts, labels, content. Ends with 3 if anything is wrong."""
    from erc_bench.cli.data_tables import print_verified, verified
    from erc_bench.data.load import inspect_dataset

    inspection = inspect_dataset(name, data_dir=data_dir)
    if as_json:
        say(json.dumps(verified(inspection), indent=2, ensure_ascii=False))
    else:
        print_verified(inspection)
    if inspection.dataset is None:
        raise inspection.refusal()


@data.command(
    epilog="\b\nExamples:\n  erc-bench data audit dailydialog\n  erc-bench data audit sample --json > audit.json\n"
    "  erc-bench data audit meld --against emorynlp"
)
@click.argument("name")
@click.option("--against", metavar="OTHER", help="Find what it shares with another dataset instead.")
@options.data_dir
@options.as_json
def audit(name: str, against: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Find what a dataset repeats, across splits and within them, and how far repeated labels agree.

    Test dialogues that stand in the training split favour systems that memorise. The labels of a dialogue that was
    annotated twice, scored against each other, estimate what annotators themselves reach.
    """
    from erc_bench.cli.data_tables import print_against, print_audit
    from erc_bench.data.load import load_dataset

    dataset = load_dataset(name, data_dir=data_dir)
    if against is not None:
        from erc_bench.inspection.against import audit_against

        shared = audit_against(dataset, load_dataset(against, data_dir=data_dir))
        say(json.dumps(dataclasses.asdict(shared), indent=2)) if as_json else print_against(shared)
        return

    from erc_bench.inspection.audit import audit as audited
    from erc_bench.progress import default_progress

    outcome = audited(dataset, progress=default_progress())
    say(json.dumps(dataclasses.asdict(outcome), indent=2)) if as_json else print_audit(outcome)


@data.command(epilog="\b\nExamples:\n  erc-bench data labels\n  erc-bench data labels dailydialog emorynlp")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.data_dir
@options.as_json
def labels(names: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """Say which labels of datasets are counterparts: what `run --train-on` goes by, with the reasons.

    Two labels are counterparts where they have the same common word.
    """
    from erc_bench.cli.data_tables import common_labels, print_common_labels
    from erc_bench.data import dataset_names, dataset_spec
    from erc_bench.errors import DataError

    specs = []
    for name in names or dataset_names():
        try:
            specs.append(dataset_spec(name, data_dir))
        except DataError as error:
            if names:
                raise
            say(f"{name}\n  error      {error}", err=True)
    found = common_labels(specs)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False)) if as_json else print_common_labels(found)


@data.command(epilog="\b\nExample:\n  erc-bench data new my-corpus && erc-bench data check my-corpus")
@click.argument("folder", type=click.Path(path_type=Path), metavar="NAME")
def new(folder: Path) -> None:
    """Write a folder with a corpus of your own: a few invented dialogues, ready to be replaced. No code is needed."""
    from erc_bench.data.skeleton import write_skeleton

    for path in write_skeleton(folder):
        say(path)
    say(f"Next: erc-bench run --system tfidf-logreg --dataset {folder}", err=True)


@data.command(epilog="\b\nExample:\n  erc-bench data check my-corpus")
@click.argument("folder", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Check a corpus of your own: says every problem with its file and line. Ends with 3 if there is one."""
    from erc_bench.cli.data_tables import print_verified
    from erc_bench.data.folder import described
    from erc_bench.data.load import inspect_dataset
    from erc_bench.errors import DataCorruptError

    spec, problems = described(folder)
    inspection = None if spec is None else inspect_dataset(spec)
    problems += inspection.problems if inspection else ()
    for problem in problems:
        say(problem)
    if problems or inspection is None:
        raise DataCorruptError(f"{folder} must be a whole dataset, got {len(problems):,} problems (see above).")
    print_verified(inspection)


@data.command(epilog="\b\nExample:\n  erc-bench data facts my-corpus > facts.json")
@click.argument("name")
@options.data_dir
def facts(name: str, data_dir: Path | None) -> None:
    """Print what a dataset is found to be (counts, SHA-256 of content and files), as its package keeps it."""
    from erc_bench.data import dataset_spec
    from erc_bench.data.load import inspect_dataset

    spec = dataclasses.replace(dataset_spec(name, data_dir), facts=None)
    inspection = inspect_dataset(spec, data_dir=data_dir)
    if inspection.dataset is None:
        raise inspection.refusal()
    splits = {
        split: dataclasses.asdict(measured) | {"file_sha256": inspection.files[split]}
        for split, measured in inspection.measured.items()
    }
    found = {"fingerprint": inspection.dataset.fingerprint, "splits": splits}
    say(json.dumps(found, indent=2, ensure_ascii=False))
