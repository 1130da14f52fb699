"""A small model server inside the test process that speaks the OpenAI protocol, and what tests do with it."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dialogue, Target, Utterance
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Prediction, Runtime
from erc_bench.data.dailydialog import LABELS
from erc_bench.progress import SilentProgress
from erc_bench.systems.llm.system import LLM

MODEL = "tester/small"
NAMES = LABELS.names


def label_for(prompt: str) -> str:
    """The label that the test server thinks of: it depends on the prompt only."""
    return NAMES[hashlib.sha256(prompt.encode()).digest()[0] % len(NAMES)]


def prompt_of(body: dict[str, Any]) -> str:
    if "messages" in body:
        return "".join(f"<{message['role']}>{message['content']}" for message in body["messages"])
    return str(body["prompt"])


class Server:
    """`failures` are status codes given before the next answers; `delay` is in seconds; `page` stands for all answers,
    and `edit` changes them."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.failures: deque[int] = deque()
        self.error_message = "made up"
        self.page: str | None = None
        self.edit: Callable[[dict[str, Any]], Any] = lambda answer: answer
        self.refused: dict[str, int] = {}  # status given instead of any answer, by path
        self.tokens: Any = ...  # given instead of the tokens of a prompt
        self.metrics: bytes | None = None
        self.version = b'{"version": "9.9"}'
        self.delay = 0.0
        self.gate: threading.Event | None = None
        self.hang_first = 0
        self.model = MODEL
        self.key: str | None = None
        self.answer: Callable[[dict[str, Any]], str] = lambda body: label_for(prompt_of(body))
        self.most_at_once = self._at_once = 0
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        self.start(port)

    def start(self, port: int) -> None:
        handler = type("Handler", (Handler,), {"owner": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Go away as a killed process does: no new connections, and the open ones cut."""
        self.http.shutdown()
        self.http.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def respond(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/tokenize":
            return 200, {"tokens": list(rendered(body).encode()) if self.tokens is ... else self.tokens}
        with self.lock:
            self.bodies.append(body)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            status = self.failures.popleft() if self.failures else 200
            hang = self.hang_first > 0
            self.hang_first -= 1
        time.sleep(5.0 if hang else self.delay)
        if self.gate is not None:
            self.gate.wait(30)
        with self.lock:
            self._at_once -= 1
        if self.page is not None:
            return 200, self.page
        if status != 200:
            return status, {"error": {"message": self.error_message, "type": "error", "code": status}}
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 3,
            "total_tokens": 103,
            "prompt_tokens_details": {"cached_tokens": 64},
        }
        common = {"id": "1", "created": 1, "model": self.model, "usage": usage}
        if path == "/v1/chat/completions":
            choices = [
                {
                    "index": i,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": self.answer(body | {"i": i})},
                }
                for i in range(body.get("n", 1))
            ]
            return 200, {**common, "object": "chat.completion", "choices": choices}
        if body.get("logprob_token_ids"):
            choices = [self.scored(i, tokens, body) for i, tokens in enumerate(body["prompt"])]
        else:
            choices = [{"index": 0, "finish_reason": "stop", "logprobs": None, "text": f" {self.answer(body)}"}]
        return 200, {**common, "object": "text_completion", "choices": choices[::-1]}

    def scored(self, index: int, tokens: list[int], body: dict[str, Any]) -> dict[str, Any]:
        top = {f"token_id:{token}": token_logprob(tokens, token) for token in body["logprob_token_ids"]}
        logprobs = {"tokens": ["x"], "token_logprobs": [-1.0], "top_logprobs": [top], "text_offset": [0]}
        return {"index": index, "finish_reason": "length", "text": "x", "logprobs": logprobs}


def rendered(body: dict[str, Any]) -> str:
    """A chat template in small: turns are closed, unless the last one is to be continued."""
    if "messages" not in body:
        return str(body["prompt"])
    text = "".join(f"<{m['role']}>{m['content']}</>" for m in body["messages"])
    if body.get("continue_final_message"):
        return text.removesuffix("</>")
    return text + ("<assistant>" if body.get("add_generation_prompt") else "")


def token_logprob(before: Sequence[int], token: int) -> float:
    return -(1 + (sum(before) * 31 + token * 17) % 101) / 10


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Server

    def setup(self) -> None:
        super().setup()
        self.owner.connections.add(self.connection)

    def finish(self) -> None:
        self.owner.connections.discard(self.connection)
        try:
            super().finish()
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _send(self, status: int, content: Any) -> None:
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        data = text if isinstance(text, bytes) else text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(content, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        if self.owner.key is not None and self.headers["Authorization"] != f"Bearer {self.owner.key}":
            self._send(401, {})
        elif self.path in self.owner.refused:
            self._send(self.owner.refused[self.path], {"detail": "Not Found"})
        elif self.path == "/v1/models":
            self._send(200, {"data": [{"id": self.owner.model}]})
        elif self.path == "/version":
            self._send(200, self.owner.version)
        elif self.path == "/metrics" and self.owner.metrics is not None:
            self._send(200, self.owner.metrics)
        elif self.path == "/metrics":
            asked = len(self.owner.bodies)
            counters = {"queries": 100, "hits": 60}
            lines = [f'vllm:prefix_cache_{kind}_total{{engine="0"}} {n * asked:.1f}\n' for kind, n in counters.items()]
            self._send(200, "".join(lines))
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path in self.owner.refused:
            self._send(self.owner.refused[self.path], {"detail": "Not Found"})
            return
        status, content = self.owner.respond(self.path, body)
        self._send(status, self.owner.edit(content) if status == 200 and self.path != "/tokenize" else content)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def second() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


class Lab:
    """The helpers of these tests, as one fixture: test modules cannot import each other."""

    label_for = staticmethod(label_for)
    prompt_of = staticmethod(prompt_of)
    rendered = staticmethod(rendered)
    token_logprob = staticmethod(token_logprob)

    @staticmethod
    def dialogues(count: int, length: int = 3) -> list[Dialogue]:
        return [
            Dialogue(f"test-{i:05}", tuple(Utterance(f"Line {t} of talk {i} .", "AB"[t % 2]) for t in range(length)))
            for i in range(count)
        ]

    @staticmethod
    def system(*servers: Server, run_dir: Path | None = None, name: str = "llm", seed: int = 0, **settings: Any) -> LLM:
        values = {"model": MODEL, "endpoint": ",".join(s.url for s in servers) or None} | settings
        cls = system_class(name)
        made = cls(
            build_config(cls.Config, values, owner=name),
            labels=LABELS,
            runtime=Runtime(seed, run_dir=run_dir),
        )
        assert isinstance(made, LLM)
        return made

    @staticmethod
    def ask(llm: LLM, talks: Sequence[Dialogue], targets: Sequence[Target] | None = None) -> dict[Target, Prediction]:
        targets = [t for talk in talks for t in talk.targets()] if targets is None else targets
        answers = {p.target: p for p in llm.predict(talks, targets, progress=SilentProgress())}
        assert set(answers) == set(targets)
        return answers


@pytest.fixture
def lab() -> Lab:
    return Lab()
