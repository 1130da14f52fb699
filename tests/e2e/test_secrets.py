"""A marked key through every path on which something fails: it is in no file, no message and no process list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

KEY = "sk-marked-4f1c9a"
MODEL = "tester/small"


class Echo(BaseHTTPRequestHandler):
    """A server that repeats the key wherever it can, in the way that `mode` says."""

    mode = "answer"

    def log_message(self, format: str, *args: object) -> None:
        return

    def send(self, status: int, content: object) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        told = self.headers.get("Authorization", "")
        if self.path == "/v1/models" and self.mode == "models":
            self.send(200, f"who is {told}?".encode())
        elif self.path == "/v1/models" and self.mode == "names":
            self.send(200, {"data": [{"id": told}]})
        elif self.path == "/v1/models":
            self.send(200, {"data": [{"id": MODEL}]})
        else:
            self.send(200, f'{{"version": "{told}"}}'.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        told = self.headers.get("Authorization", "")
        if self.mode in ("400", "401", "404", "500"):
            self.send(int(self.mode), {"error": {"message": f"not with {told}\x1b[2J"}})
        elif self.mode == "page":
            self.send(200, f"<html>{told}".encode())
        else:
            message = {"role": "assistant", "content": f"anger {told}"}
            self.send(200, {"id": told, "model": told, "choices": [{"index": 0, "message": message}]})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("mode", ["answer", "models", "names", "400", "401", "404", "page", "choose"])
def test_a_key_that_a_server_repeats_stays_secret(mode: str, port: int, tmp_path: Path) -> None:
    Echo.mode = mode
    command = ["run", "--system", "llm", "--dataset", "sample", "--targets", "last", "--set", f"model={MODEL}"]
    command += ["--set", f"endpoint=http://127.0.0.1:{port}", "--set", "retries=0"]
    if mode == "choose":
        command += ["--set", "mode=choose"]
    done = subprocess.run(
        [sys.executable, "-c", "from erc_bench.cli import main; main()", *command],
        cwd=tmp_path,
        env=os.environ | {"OPENAI_API_KEY": KEY, "ERC_BENCH_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == (0 if mode == "answer" else 4), done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    told = [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert told == []
    assert mode == "models" or any(tmp_path.rglob("run.json"))
