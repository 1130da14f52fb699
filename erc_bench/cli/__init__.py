"""The command line: `erc-bench COMMAND`. Each command lives in a module of its own, imported when it is called."""

from __future__ import annotations

import importlib
import io
import sys
import traceback
from typing import Any

import click

from erc_bench.errors import EXIT_INTERRUPTED, ErcBenchError

COMMANDS = {
    "run": "run:run",
    "leaderboard": "leaderboard:leaderboard",
    "compare": "compare:compare",
    "show": "show:show",
    "score": "score:score",
    "verify": "verify:verify",
    "export": "export:export",
    "systems": "systems:systems",
    "data": "data:data",
    "paper": "paper:paper",
}


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


EPILOG = """\b
Examples:
  erc-bench run --system sentemocontext --dataset sample
  erc-bench data download dailydialog
  erc-bench run --system sentemocontext --seeds 0-2
  erc-bench leaderboard
\b
Exit codes: 0 done, 1 a bug, 2 usage, 3 data missing or corrupt, 4 a system failed,
5 some of several runs failed, 6 verification found a difference, 130 interrupted (run again to resume)."""


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="erc-bench", prog_name="erc-bench")
def cli() -> None:
    """Benchmark systems for Emotion Recognition in Conversation and write the leaderboard."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; always ends with SystemExit and one of the documented exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± still shows the board
    try:
        cli.main(args=arguments, prog_name="erc-bench", standalone_mode=False)
    except ErcBenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted: run the same command again to resume", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception:
        traceback.print_exc()
        click.echo("This is a bug in erc-bench: please report it with the lines above.", err=True)
        sys.exit(1)
    sys.exit(0)
