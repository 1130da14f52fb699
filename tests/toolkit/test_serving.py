"""Servers that the harness owns: started, awaited, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from erc_bench.errors import ModelUnavailableError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.toolkit.serving import (
    ManagedServer,
    Offer,
    free_port,
    public_url,
    root_url,
    served_models,
    trusts_environment,
)

# A server that has a child of its own, as vLLM has its engine, and says where both are.
SERVER = """
import json, os, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

port, pids, kind = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if kind == "dies":
    print("loading", flush=True)
    print("noise: nanobind: leaked 4 instances!", flush=True)
    raise OSError("401 Client Error: gated repo")
if kind == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pids.write_text(f"{os.getpid()} {child.pid}")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if kind == "keyed" and self.headers["Authorization"] != "Bearer sesame":
            self.send_error(401)
            return
        data = b"<html>hello</html>" if kind == "page" else json.dumps({"data": [{"id": "tiny"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

if kind == "mute":
    time.sleep(600)
time.sleep(0.3)
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return path


@pytest.fixture
def make(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ManagedServer]]:
    monkeypatch.setattr("erc_bench.toolkit.serving.GRACE_SECONDS", 1.0)
    made: list[ManagedServer] = []

    def build(kind: str = "good") -> ManagedServer:
        port = free_port()
        server = ManagedServer(
            [sys.executable, str(script), str(port), str(tmp_path / "pids"), kind],
            url=f"http://127.0.0.1:{port}",
            log=tmp_path / "run" / "server.log",
            api_key="sesame",
            environment={"HELLO": "1"},
            explain=lambda log: (
                ModelUnavailableError("the weights are gated: log in.") if "gated repo" in log else None
            ),
        )
        made.append(server)
        return server

    yield build
    for server in made:
        server.stop()


def ready(server: ManagedServer, timeout: float = 30) -> list[str]:
    return asyncio.run(server.wait_until_ready(timeout=timeout, progress=SilentProgress()))


def processes(tmp_path: Path) -> list[int]:
    """Process ids of the server and of its child."""
    return [int(pid) for pid in (tmp_path / "pids").read_text().split()]


def gone(pid: int, within: float = 10) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_server_is_started_awaited_and_stopped_with_its_children(
    make: Callable[[], ManagedServer], tmp_path: Path
) -> None:
    server = make()
    server.start()
    assert ready(server) == ["tiny"]
    assert server.running
    assert server.start_seconds[0] > 0
    parent, child = processes(tmp_path)
    assert os.getpgid(parent) != os.getpgid(0), "Ctrl-C at the terminal must not reach it"
    server.stop()
    assert not server.running
    assert gone(parent)
    assert gone(child)
    assert (tmp_path / "run" / "server.log").read_text().startswith("$ ")


def test_a_server_that_ignores_sigterm_is_killed(make: Callable[[str], ManagedServer], tmp_path: Path) -> None:
    server = make("stubborn")
    server.start()
    ready(server)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 6
    assert all(gone(pid) for pid in processes(tmp_path))


def test_the_children_of_a_killed_server_do_not_outlive_it(make: Callable[[], ManagedServer], tmp_path: Path) -> None:
    server = make()
    server.start()
    ready(server)
    parent, child = processes(tmp_path)
    os.kill(parent, signal.SIGKILL)
    assert gone(child)
    deadline = time.monotonic() + 5
    while server.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not server.running
    with pytest.raises(SystemFailedError, match="ended with status 137"):
        ready(server)
    server.start()
    assert ready(server) == ["tiny"]
    assert ready(server) == ["tiny"]
    assert server.starts == 2
    assert len(server.start_seconds) == 2, "asking a server that has started is no start"


def test_a_server_that_dies_is_explained_with_the_end_of_its_log(make: Callable[[str], ManagedServer]) -> None:
    server = make("dies")
    server.start()
    with pytest.raises(ModelUnavailableError) as caught:
        ready(server)
    assert "log in." in str(caught.value)
    assert "OSError: 401 Client Error" in str(caught.value)
    assert "nanobind" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up_and_stopped(
    make: Callable[[str], ManagedServer], tmp_path: Path
) -> None:
    server = make("mute")
    server.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "pids").is_file() and time.monotonic() < deadline:  # a busy machine starts it late
        time.sleep(0.05)
    with pytest.raises(SystemFailedError, match="must answer within server_timeout=2 seconds"):
        ready(server, timeout=2)
    assert not server.running
    assert all(gone(pid) for pid in processes(tmp_path))


def test_a_server_with_a_key_is_asked_with_it(make: Callable[[str], ManagedServer]) -> None:
    server = make("keyed")
    server.start()
    assert ready(server) == ["tiny"]
    with pytest.raises(SystemFailedError, match="must accept the key in OPENAI_API_KEY, got status 401"):
        asyncio.run(served_models(server.url, api_key="another"))


def test_an_answer_that_is_no_list_of_models_is_explained(make: Callable[[str], ManagedServer]) -> None:
    server = make("page")
    server.start()
    with pytest.raises(SystemFailedError, match=r"must answer with a list of models .* got '<html>hello</html>'"):
        ready(server)


def test_a_port_in_use_is_refused_before_a_foreign_server_is_measured(make: Callable[[], ManagedServer]) -> None:
    server = make()
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", int(server.url.rpartition(":")[2])))
        foreign.listen()
        with pytest.raises(SystemFailedError, match=r"port of the model server must be free, got .* already in use"):
            server.start()
    assert server.starts == 0
    server.start()
    assert ready(server) == ["tiny"]


def test_an_answer_of_another_server_does_not_hide_a_death(
    make: Callable[[str], ManagedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make("dies")

    async def foreign(url: str, *, api_key: str) -> Offer:
        while server.running:
            await asyncio.sleep(0.01)
        return Offer(["somebody's"])

    monkeypatch.setattr("erc_bench.toolkit.serving.served_models", foreign)
    server.start()
    with pytest.raises(ModelUnavailableError, match="log in"):
        ready(server)


def test_a_command_that_does_not_exist_is_refused_before_anything_starts(tmp_path: Path) -> None:
    server = ManagedServer(["no-such-program"], url="http://127.0.0.1:1", log=tmp_path / "log")
    with pytest.raises(SystemFailedError, match="must start with a program that exists, got 'no-such-program'"):
        server.start()
    server.stop()


OWNER = """
import asyncio, sys, time
from pathlib import Path
from erc_bench.progress import SilentProgress
from erc_bench.toolkit.serving import ManagedServer

port, folder = sys.argv[1:]
server = ManagedServer(
    [sys.executable, f"{folder}/server.py", port, f"{folder}/pids", "good"],
    url=f"http://127.0.0.1:{port}", log=Path(folder) / "server.log",
)
try:
    server.start()
    asyncio.run(server.wait_until_ready(timeout=30, progress=SilentProgress()))
    print("ready", flush=True)
    time.sleep(600)
finally:
    server.stop()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_orphan_survives_its_owner(script: Path, tmp_path: Path, how: signal.Signals) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(free_port()), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    owner.send_signal(how)
    owner.wait(30)
    owner.stdout.close()
    assert all(gone(pid, within=20) for pid in processes(tmp_path))


def test_the_watchdog_itself_may_die(make: Callable[[], ManagedServer], tmp_path: Path) -> None:
    server = make()
    server.start()
    ready(server)
    parent, child = processes(tmp_path)
    os.kill(psutil.Process(parent).ppid(), signal.SIGKILL)
    if sys.platform == "linux":
        assert gone(parent)
    server.stop()
    assert gone(parent)
    os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        (" https://host/v1/ ", "https://host"),
        ("https://host/proxy/v1", "https://host/proxy"),
    ],
)
def test_addresses_are_accepted_with_and_without_v1(given: str, root: str) -> None:
    assert root_url(given) == root


@pytest.mark.parametrize(
    "given",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://a b",
        "http://localhost:abc",
        "http://localhost:99999",
        "http://localhost:0",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        root_url(given)


def test_a_refused_address_does_not_show_its_password() -> None:
    with pytest.raises(ValueError, match="must be an address") as caught:
        root_url("http://me:p@ss@host:port")
    assert "ss@" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.2", True),
        ("http://[::1]:8000/x", True),
        ("http://10.0.0.1:8000", False),
        ("https://example.org", False),
        ("http://localhost.example.org", False),
    ],
)
def test_proxies_of_the_environment_apply_to_other_machines_only(url: str, loopback: bool) -> None:
    assert trusts_environment(url) is not loopback


def test_an_address_is_shown_without_name_and_password() -> None:
    assert public_url("https://me:p@ss@host:1/x@y") == "https://host:1/x@y"
    assert public_url("http://host/x@y") == "http://host/x@y"


def test_a_server_that_is_not_there_offers_nothing() -> None:
    assert asyncio.run(served_models(f"http://127.0.0.1:{free_port()}", api_key="x")) == Offer(None, "no answer")
