"""Runs one command and ends its whole process group when nobody owns it any more.

    python -m erc_bench.toolkit.watchdog GRACE_SECONDS COMMAND [ARGUMENT…]

The owner keeps the write end of this process's standard input open. The command is ended when that end closes,
which the operating system does for every way in which an owner can die, `kill -9` included.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType

POLL_SECONDS = 0.2
LINGER_SECONDS = 1.0  # what the leader of a group gets to say goodbye to the others
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the command until it ends or its owner is gone; returns its exit status (128 + signal if killed)."""
    grace, command = float(arguments[0]), arguments[1:]
    owner = os.getppid()
    asked_to_stop = False

    def stop(_signum: int, _frame: FrameType | None) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_watchdog() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    # One thread only, so that code between fork and exec is safe here (in the owner it would not be).
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_watchdog)
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], POLL_SECONDS)
        owner_closed = bool(readable) and not os.read(sys.stdin.fileno(), 4096)
        # A forked sibling of ours may hold the pipe open after the owner's death: the parent tells then.
        if owner_closed or asked_to_stop or os.getppid() != owner:
            end_group(child, grace)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def end_group(leader: subprocess.Popen[bytes], grace: float) -> None:
    """Ask a process group to end, and kill what is left of it after `grace` seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        leader.wait(grace)
        deadline = time.monotonic() + LINGER_SECONDS
        while _group_exists(leader.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
