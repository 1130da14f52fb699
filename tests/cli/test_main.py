from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from erc_bench import cli
from erc_bench.errors import DataMissingError, SystemFailedError, VerificationError


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    return int(caught.value.code or 0)


def raising(error: BaseException) -> Callable[..., None]:
    def command(**_: object) -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (DataMissingError("no data"), 3, "error: no data"),
        (SystemFailedError("broke"), 4, "error: broke"),
        (VerificationError("differs"), 6, "error: differs"),
        (KeyboardInterrupt(), 130, "run the same command again to resume"),
        (click.Abort(), 130, "interrupted"),
        (ZeroDivisionError("oops"), 1, "This is a bug in erc-bench"),
    ],
)
def test_exit_codes(
    error: BaseException,
    code: int,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = click.Command("systems", callback=raising(error))
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: broken)
    assert exit_code("systems") == code
    output = capsys.readouterr()
    assert shown in output.err
    assert ("Traceback" in output.err) == (code == 1), "only a bug shows a traceback"
    assert not output.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--system", "constant", "--dataset", "sample", "--seed", "1", "--seeds", "0-2"),
        ("run", "--system", "constant", "--dataset", "sample", "--seeds", "5-2"),
        ("run", "--system", "constnt", "--dataset", "sample"),
        ("run", "--system", "constant", "--dataset", "smple"),
        ("run", "--system", "constant", "--dataset", "sample", "--set", "lable=fear"),
        ("no-such-command",),
        ("systems", "show", "no-such-system"),
    ],
)
def test_nonsense_is_a_usage_error(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def commands(group: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(group, click.Group):
        return [path]
    context = click.Context(group)
    found = [path]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(cli.cli), ids=" ".join)
def test_every_help_has_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*path, "--help") == 0
    output = capsys.readouterr().out
    assert "Example" in output
    assert f"erc-bench {' '.join(path)}".strip() in output.partition("Example")[2]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["systems", "list"], ["systems", "show", "sentemocontext"], ["leaderboard", "--help"]]
)
def test_light_commands_import_no_torch(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom erc_bench.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'matplotlib', 'sentence_transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """The end of a pipe to write to, whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def piped(*arguments: str, out: int = subprocess.PIPE, err: int = subprocess.PIPE) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-c", "from erc_bench.cli import main; main()", *arguments]
    done = subprocess.run(command, timeout=120, check=False, stdout=out, stderr=err)
    return done.returncode, done.stdout or b"", done.stderr or b""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),  # before there is a command
        ("show", "--help"),
        ("data", "list"),  # through click
        ("systems", "show", "constant"),  # through rich
    ],
    ids=" ".join,
)
def test_a_closed_pipe_ends_quietly(arguments: tuple[str, ...], closed_pipe: int) -> None:
    assert piped(*arguments, out=closed_pipe) == (cli.EXIT_CLOSED_PIPE, b"", b"")


def test_a_closed_pipe_of_errors_ends_quietly(closed_pipe: int) -> None:
    assert piped("no-such-command", err=closed_pipe) == (cli.EXIT_CLOSED_PIPE, b"", b"")


def test_a_pipe_closed_before_the_last_flush_ends_quietly(closed_pipe: int) -> None:
    script = (
        "import click\nfrom erc_bench import cli\n"
        "cli.LazyGroup.get_command = lambda *_: click.Command('data', callback=lambda: print('buffered'))\n"
        "cli.main(['data'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=closed_pipe, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (cli.EXIT_CLOSED_PIPE, b"")


def test_a_reader_that_leaves_early_gets_what_it_read() -> None:
    command = [sys.executable, "-c", "from erc_bench.cli import main; main()", "data", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode in (0, cli.EXIT_CLOSED_PIPE), "0 if all of it was in the pipe already"
    assert errors == b""


# Like the installed command, without the working folder on the path. Where it is there and gone, Python 3.13 before 3.13.3 fails
# with a SystemError of its own (gh-130932).
SCRIPT = f"'{sys.executable}' -P -c 'from erc_bench.cli import main; main()' data list --json"


def in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere(closed: str, tmp_path: Path) -> None:
    done = in_shell(f"{SCRIPT} {closed}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (closed == "2>&-")


def test_a_working_folder_that_is_gone_is_named_without_a_traceback(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    run = SCRIPT.replace("data list --json", "run --system constant --dataset sample")
    done = in_shell(f"cd {gone} && rmdir {gone} && {run}", tmp_path)
    assert done.returncode == 3
    assert "must be readable and writable" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    assert list(cli.SUMMARIES) == list(cli.COMMANDS)
    for name, text in cli.SUMMARIES.items():
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None
        for limit in (45, 100, 200):
            assert click.Command(name, help=text).get_short_help_str(limit) == command.get_short_help_str(limit), name


def test_help_imports_no_command() -> None:
    code = "import sys; from erc_bench.cli import cli; cli(['--help'], standalone_mode=False)\n"
    code += "assert not {'erc_bench.cli.run', 'erc_bench.cli.data', 'rich.console', 'erc_bench.contract'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
