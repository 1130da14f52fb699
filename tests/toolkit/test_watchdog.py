"""The watchdog itself; `test_serving.py` tests it behind a server whose owner is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from erc_bench.toolkit.watchdog import end_group

WATCHDOG = (sys.executable, "-m", "erc_bench.toolkit.watchdog")


def watched(grace: float, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*WATCHDOG, str(grace), *command], stdin=subprocess.PIPE)


@pytest.mark.parametrize(("code", "status"), [("pass", 0), ("raise SystemExit(7)", 7)])
def test_the_status_is_that_of_the_command(code: str, status: int) -> None:
    with watched(5, sys.executable, "-c", code) as process:
        assert process.wait(60) == status


def test_a_command_that_is_killed_gives_128_and_the_signal() -> None:
    with watched(5, sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)") as process:
        assert process.wait(60) == 137


def test_closing_the_pipe_ends_the_whole_group(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(file) + '.new'!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(file) + '.new'!r}, {str(file)!r})\n"
        "time.sleep(600)"
    )
    with watched(10, sys.executable, "-c", code) as process:
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        pids = [int(pid) for pid in file.read_text().split()]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 143
    assert [pid for pid in pids if alive(pid)] == []


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody waited for does not."""
    status = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_does_not_end_when_asked_is_killed_after_the_grace() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as leader:
        assert leader.stdout is not None
        leader.stdout.readline()
        end_group(leader, grace=0.2)
        assert leader.returncode == -9
