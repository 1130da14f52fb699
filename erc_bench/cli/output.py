"""Lines on standard output and standard error: whatever names and texts they hold, a terminal shows them and does nothing."""

from __future__ import annotations

import click

from erc_bench.shown import shown


def say(text: object, *, err: bool = False) -> None:
    """Print a text, with its control characters written out and without secrets."""
    click.echo(shown(text), err=err)
