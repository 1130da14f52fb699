"""`erc-bench systems`: list, show, check and start a new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from erc_bench.cli import options
from erc_bench.cli.output import say, say_columns
from erc_bench.shown import shown


@click.group(
    cls=options.Group, epilog="\b\nExamples:\n  erc-bench systems list\n  erc-bench systems show sentemocontext"
)
def systems() -> None:
    """List systems, show their settings, check one, or start a new one."""


@systems.command("list", epilog="\b\nExample:\n  erc-bench systems list --json")
@options.as_json
def list_systems(as_json: bool) -> None:
    """List all registered systems, built-in and installed by others."""
    from erc_bench.contract.registry import Summary, system_names, system_origin, system_summary
    from erc_bench.errors import SystemFailedError

    rows = []
    for name in system_names():
        try:
            said = system_summary(name)
        except SystemFailedError as error:  # a package that is broken hides no other
            said = Summary(f"cannot be used: {error}", "")
        rows.append({"name": name, **said._asdict(), "from": system_origin(name)})
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    say_columns(
        ["name", "context", "from", "what it is"],
        [[row[key] for key in ("name", "context", "from", "summary")] for row in rows],
    )


@systems.command(epilog="\b\nExample:\n  erc-bench systems show minilm-classifier")
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> None:
    """Show one system: what it is, its reference, and every setting that --set can change."""
    from rich.console import Console
    from rich.table import Table

    from erc_bench.contract.config import describe
    from erc_bench.contract.registry import system_class, system_origin

    system = system_class(name)
    info, fields = system.info, describe(system.Config)
    if as_json:
        content: dict[str, Any] = {
            "name": info.name,
            "summary": info.summary,
            "reference": info.reference,
            "context": info.context,
            "licence": info.licence,
            "from": system_origin(name),
            "settings": [
                {
                    "name": f.name,
                    "type": f.type,
                    "default": f.default,
                    "limits": str(f.limits),
                    "description": f.description,
                }
                for f in fields
            ],
        }
        say(json.dumps(content, indent=2, default=str))
        return
    say(f"{info.name}: {info.summary}")
    say(f"reference: {info.reference}\ncontext: {info.context}\nlicence: {info.licence}\nfrom: {system_origin(name)}")
    if not fields:
        say("settings: none")
        return
    table = Table("setting", "type", "default", "description", box=None, header_style="bold")
    for f in fields:
        table.add_row(
            f.name,
            f"{f.type} in {f.limits}" if str(f.limits) else f.type,
            str(f.default).lower() if isinstance(f.default, bool) else str(f.default),
            shown(f.description),
        )
    Console(emoji=False, markup=False, highlight=False).print(table)


@systems.command(epilog="\b\nExample:\n  erc-bench systems check tfidf-logreg")
@click.argument("name")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Check it with this setting; repeatable.")
@options.device
def check(name: str, settings: tuple[str, ...], device: str) -> None:
    """Run the conformance suite on a system: the contract every system must keep."""
    from erc_bench.api import runs
    from erc_bench.contract.config import split_settings
    from erc_bench.errors import SystemFailedError

    failed = 0
    for result in runs.check(name, settings=split_settings(settings), device=device):
        mark = {"passed": "ok  ", "failed": "FAIL", "not applicable": "n/a "}[result.outcome]
        say(f"{mark}  {result.name}{': ' + result.reason if result.reason else ''}")
        failed += result.outcome == "failed"
    if failed:
        raise SystemFailedError(
            f"the system {name} must keep the whole contract, but {failed} checks failed (see above)."
        )
    say(f"{name} keeps the contract.")


@systems.command(epilog="\b\nExample:\n  erc-bench systems new my-system && pip install -e my-system")
@click.argument("name")
@click.option("--output-dir", type=options.FOLDER, default=Path(), help="Where to write the new package.  [default: .]")
def new(name: str, output_dir: Path) -> None:
    """Write a small package with a system of your own: it installs, runs and is ready to be changed."""
    from erc_bench.running.scaffold import write_package

    folder = write_package(name, output_dir)
    say(f"Wrote {folder}. Next:\n  pip install -e {folder}\n  erc-bench systems check {name}")
    say(f"  erc-bench run --system {name} --dataset sample")
