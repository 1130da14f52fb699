"""What does a command print? One module a command, imported when it is called; the work is done below."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from erc_bench.cli.output import say
from erc_bench.errors import EXIT_INTERRUPTED, ErcBenchError

COMMANDS = {
    "run": "run:run",
    "leaderboard": "leaderboard:leaderboard",
    "compare": "compare:compare",
    "power": "power:power",
    "transfer": "transfer:transfer",
    "show": "show:show",
    "score": "score:score",
    "verify": "verify:verify",
    "export": "export:export",
    "systems": "systems:systems",
    "data": "data:data",
    "paper": "paper:paper",
}
SUMMARIES = {
    "run": "Run systems on a dataset and keep their predictions as run records.",
    "leaderboard": "Compute the leaderboard from all run records, write it and print it.",
    "compare": "Test whether row A differs from row B: paired, by dialogue.",
    "power": "Say how many dialogues and seeds it takes to show a difference of two rows.",
    "transfer": "Show what systems trained on one dataset reach on another: a matrix of both, for each system.",
    "show": "Show dialogues with gold and predicted labels side by side.",
    "score": "Turn predictions made elsewhere (FILE, JSONL or CSV) into a run record and print its scores.",
    "verify": "Recompute run records (RUN: folders, or names of rows) and boards, and compare with what they say.",
    "export": "Copy run records (RUN: folders or names of rows; all complete ones without) in a form that can be published.",
    "systems": "List systems, show their settings, check one, or start a new one.",
    "data": "List, download, verify and audit datasets, and make one of your own.",
    "paper": "Print and write the tables of the paper, published and measured side by side.",
}
"""The first sentence of each command, so that the list of commands imports none of them."""
EXIT_CLOSED_PIPE = 141  # what a shell says of any program whose reader (`| head`) left before it was done


class ClosedPipeError(Exception):
    """The reader of our output has left. Not BrokenPipeError, for which click exits with 1, our code for bugs."""


@contextmanager
def _closed_pipe_named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ClosedPipeError from error
    except SystemExit as end:  # what rich makes of it
        if isinstance(end.__context__, BrokenPipeError):
            raise ClosedPipeError from end
        raise


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Commands in the order of use, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"erc_bench.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        limit = formatter.width - 6 - max(map(len, COMMANDS))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, click.Command(name, help=text).get_short_help_str(limit)) for name, text in SUMMARIES.items()]
            )

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the command line, and print help where that is asked for."""
        with _closed_pipe_named():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _closed_pipe_named():
            return super().invoke(ctx)


EPILOG = """\b
Examples:
  erc-bench run --system sentemocontext --dataset sample
  erc-bench data download dailydialog
  erc-bench run --system sentemocontext --seeds 0-2
  erc-bench leaderboard
\b
Exit codes: 0 done, 1 a bug, 2 usage, 3 data missing, corrupt or not to be written, 4 a system failed,
5 some of several runs failed, 6 verification found a difference, 130 interrupted (run again to resume),
141 the reader of the output left (as head does)."""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="erc-bench", prog_name="erc-bench")
def cli() -> None:
    """Benchmark systems for Emotion Recognition in Conversation and write the leaderboard."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; always ends with SystemExit and one of the documented exit codes."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± still shows the board
    try:
        code = _exit_code(arguments)
        click.echo(nl=False)  # what is still buffered meets a closed pipe here and not when Python ends
    except (ClosedPipeError, BrokenPipeError):
        _discard_output()
        code = EXIT_CLOSED_PIPE
    sys.exit(code)


def _open_closed_streams() -> None:
    """Where a caller closed standard input, output or error, let it lead nowhere: no file must take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)  # takes the lowest free number, this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _exit_code(arguments: list[str] | None) -> int:
    try:
        cli.main(args=arguments, prog_name="erc-bench", standalone_mode=False)
    except ErcBenchError as error:
        say(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        usage = io.StringIO()
        error.show(usage)
        say(usage.getvalue().rstrip("\n"), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted: run the same command again to resume", err=True)
        return EXIT_INTERRUPTED
    except ClosedPipeError:
        raise
    except Exception as error:
        return _unforeseen(error)
    return 0


def _unforeseen(error: Exception) -> int:
    import traceback

    from erc_bench.files import REFUSALS, storage_error

    if isinstance(error, OSError) and (error.errno in REFUSALS or not _has_working_folder()):
        refusal = storage_error(error, None if _has_working_folder() else Path(os.curdir))
        say(f"error: {refusal}", err=True)
        return refusal.exit_code
    traceback.print_exception(error)
    say("This is a bug in erc-bench: please report it with the lines above.", err=True)
    return 1


def _has_working_folder() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:  # it was removed since
        return False


def _discard_output() -> None:
    """Let what is still buffered go nowhere, or Python would complain of the closed pipe as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
