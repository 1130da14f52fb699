"""Starting, watching and stopping a server that speaks the OpenAI protocol.

Nothing here knows which server it is: the command comes from the caller, and so does the explanation of its
failures. What is started is always stopped: a watchdog process (`erc_bench.toolkit.watchdog`) ends the server's whole
process group when the harness stops it, dies or is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from erc_bench.errors import SystemFailedError
from erc_bench.files import utf8
from erc_bench.progress import Progress
from erc_bench.shown import masked, on_one_line, shown, visible

__all__ = [
    "ManagedServer",
    "Offer",
    "fetch_text",
    "free_port",
    "is_loopback",
    "public_url",
    "root_url",
    "served_models",
    "trusts_environment",
]

GRACE_SECONDS = 15.0
POLL_SECONDS = 0.5
PROBE_TIMEOUT_SECONDS = 5.0
TAIL_LINES = 12
ERROR_LINE = re.compile(r"\b\w*(?:Error|Exception)\b:? ")
PORT_WAIT_SECONDS = 3.0  # what the port of an ended server may take to become free
NOISE = re.compile(r"nanobind|leaked|resource_tracker")


def free_port() -> int:
    """A TCP port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def root_url(endpoint: str) -> str:
    """The address of a server without the `/v1` and slashes that people add to it.

    Raises
    ------
    ValueError
        It is no http or https address.
    """
    import httpx

    url = endpoint.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    reason = ""
    try:
        usable = re.fullmatch(r"https?://[^/\s]+(/\S*)?", url) is not None and urlsplit(url).port != 0
        httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        usable, reason = False, f" ({error})"
    if not usable:
        raise ValueError(
            f"an endpoint must be an address such as http://localhost:8000, got {public_url(endpoint)!r}{reason}"
        )
    return url


def public_url(url: str) -> str:
    """An address as messages and records may show it: without a user's name and password."""
    return re.sub(r"(?<=://)[^/\s]*@", "", url)


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def trusts_environment(url: str) -> bool:
    """Whether HTTP_PROXY and its like may apply: never to this machine's own servers, which no proxy can reach."""
    return not is_loopback(url)


class Offer(NamedTuple):
    """Names of the models that a server offers; `models` is None while there is none, and `got` says what came instead."""

    models: list[str] | None
    got: str = ""


async def served_models(url: str, *, api_key: str, timeout: float = PROBE_TIMEOUT_SECONDS) -> Offer:
    """What the server at `url` (without `/v1`) offers.

    Raises
    ------
    SystemFailedError
        It answers, but refuses the key, or with something else than a list of models.
    """
    import httpx

    headers = {"Authorization": f"Bearer {api_key}"}
    try:
        async with httpx.AsyncClient(timeout=timeout, headers=headers, trust_env=trusts_environment(url)) as client:
            response = await client.get(f"{url}/v1/models")
    except httpx.HTTPError:
        return Offer(None, "no answer")
    if response.status_code in (401, 403):
        raise SystemFailedError(
            f"the server at {public_url(url)} must accept the key in OPENAI_API_KEY, got status {response.status_code}. "
            "Set that environment variable to a key of this server."
        )
    if response.status_code != 200:
        return Offer(None, f"status {response.status_code}")
    try:
        return Offer([visible(model["id"]) for model in response.json()["data"]])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        said = on_one_line(response.text, 80)
        raise SystemFailedError(
            f"{public_url(url)}/v1/models must answer with a list of models as OpenAI's servers do, got '{said}'. Is it the "
            "address of a model server?"
        ) from None


async def fetch_text(url: str, *, timeout: float = PROBE_TIMEOUT_SECONDS) -> str | None:
    """The body at a URL; None if it cannot be had."""
    import httpx

    try:
        async with httpx.AsyncClient(timeout=timeout, trust_env=trusts_environment(url)) as client:
            response = await client.get(url)
    except (httpx.HTTPError, ValueError):
        return None
    return response.text if response.status_code == 200 else None


class ManagedServer:
    """A server process that the harness owns.

    Parameters
    ----------
    command
        What to run.
    url
        Where it will answer, without `/v1`.
    log
        File that its output is appended to.
    api_key
        Key that it asks for; a server that asks for none takes any.
    environment
        Variables set on top of the harness's own.
    explain
        Makes an error with a way out from the end of the log of a server that died; None if it knows none.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        url: str,
        log: Path,
        api_key: str = "EMPTY",
        environment: Mapping[str, str] | None = None,
        explain: Callable[[str], SystemFailedError | None] | None = None,
    ) -> None:
        self.command, self.url, self.log = list(command), url, log
        self.starts = 0
        self.start_seconds: list[float] = []
        self._environment = dict(environment or {})
        self._api_key = api_key
        self._explain = explain
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._starting = False

    @property
    def running(self) -> bool:
        """Whether the process is there (it may still be loading)."""
        return self._watchdog is not None and self._watchdog.poll() is None

    def start(self) -> None:
        """Start the process, ending what is left of an earlier one.

        Raises
        ------
        SystemFailedError
            The command does not exist, or something else listens on the port: its answers would be measured instead.
        """
        self.stop()
        if shutil.which(self.command[0]) is None:
            raise SystemFailedError(
                f"the server command must start with a program that exists, got {self.command[0]!r}."
            )
        self._require_free_port()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            log.write(utf8(f"$ {shlex.join(map(masked, self.command))}\n"))
            log.flush()
            self._watchdog = subprocess.Popen(
                [sys.executable, "-m", "erc_bench.toolkit.watchdog", str(GRACE_SECONDS), *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._environment,
                start_new_session=True,  # Ctrl-C reaches the harness only, which then stops the server in order
            )
        self.starts += 1
        self._starting = True

    def _require_free_port(self) -> None:
        parts = urlsplit(self.url)
        deadline = time.monotonic() + (PORT_WAIT_SECONDS if self.starts else 0)
        while True:
            try:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections may linger
                    probe.bind((parts.hostname, parts.port))
                    return
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise SystemFailedError(
                        f"the port of the model server must be free, got {parts.port}: {error.strerror}. Give another with "
                        "--set port=N, let a free one be taken (port=0), or use the server that runs there with --set "
                        f"endpoint={self.url}."
                    ) from None
            time.sleep(0.1)

    async def wait_until_ready(self, *, timeout: float, progress: Progress) -> list[str]:
        """Wait until the server answers; returns the names of the models it offers.

        Raises
        ------
        SystemFailedError
            The process ended, or did not answer within `timeout` seconds. The message ends with what its log says.
        """
        started = told = time.monotonic()
        with progress.task("Waiting for the model server", unit="s") as task:
            while True:
                if not self.running:
                    raise self._death()
                offer = await served_models(self.url, api_key=self._api_key)
                if not self.running:
                    raise self._death()  # whoever answered, it was not this server
                now = time.monotonic()
                task.advance(now - told)
                told = now
                if offer.models is not None:
                    if self._starting:
                        self.start_seconds.append(round(now - started, 1))
                        self._starting = False
                    return offer.models
                if now - started > timeout:
                    self.stop()
                    raise SystemFailedError(
                        f"the model server must answer within server_timeout={timeout:g} seconds, got no answer from {self.url}. "
                        f"Raise it with --set server_timeout=…, or see {self.log}:\n{self._tail()}"
                    )
                await asyncio.sleep(POLL_SECONDS)

    def _death(self) -> SystemFailedError:
        text = self._log_text()
        tail = self._tail(text)
        status = self._watchdog.returncode if self._watchdog else None
        explained = self._explain(text) if self._explain is not None else None
        if explained is not None:
            return explained.restated(f"{explained} Its log, {self.log}, says:\n{tail}")
        return SystemFailedError(f"the model server ended with status {status}. Its log, {self.log}, says:\n{tail}")

    def _log_text(self) -> str:
        if not self.log.is_file():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _tail(self, text: str | None = None) -> str:
        lines = [line.rstrip() for line in (self._log_text() if text is None else text).splitlines()]
        lines = [line for line in lines if line.strip() and not NOISE.search(line)]
        errors = list(dict.fromkeys(line for line in lines if ERROR_LINE.search(line)))
        return "\n".join(f"    {shown(line[-300:])}" for line in (errors or lines)[-TAIL_LINES:])

    def stop(self) -> None:
        """End the server's process group; does nothing when none runs."""
        if self._watchdog is None:
            return
        import psutil

        descendants: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            descendants = psutil.Process(self._watchdog.pid).children(recursive=True)
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        try:
            self._watchdog.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._watchdog.kill()
            self._watchdog.wait()
        self._watchdog = None
        for process in descendants:  # any that left the process group
            with contextlib.suppress(psutil.Error):
                process.kill()
