"""Lines on standard output and standard error: whatever names and texts they hold, a terminal shows them and does nothing."""

from __future__ import annotations

from collections.abc import Sequence

import click

from erc_bench.shown import shown

NARROWEST = 20  # characters of a column of sentences, however narrow the terminal


def say(text: object, *, err: bool = False) -> None:
    """Print a text, with its control characters written out and without secrets."""
    click.echo(shown(text), err=err)


def say_columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table whose last column holds sentences, as wide as the terminal; rich would take longer than the rest."""
    import shutil
    import textwrap

    cells = [[" ".join(shown(cell).split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) + 2 for column in zip(head[:-1], *(row[:-1] for row in cells), strict=True)]
    left = max(shutil.get_terminal_size().columns - sum(widths), NARROWEST)
    click.secho("".join(map(str.ljust, head, [*widths, 0])), bold=True)
    for row in cells:
        start = "".join(map(str.ljust, row[:-1], widths))
        lines = textwrap.wrap(row[-1], left, break_on_hyphens=False) or [""]
        click.echo("\n".join([f"{start}{lines[0]}".rstrip(), *(" " * sum(widths) + line for line in lines[1:])]))
