"""The harness's own model server: found, refused in time, started for a run, restarted, explained when it dies."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dialogue, Utterance
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Runtime
from erc_bench.data import load_dataset
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import ConfigError, MissingDependencyError, ModelUnavailableError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.systems.llm.config import Llama13bConfig, LLMConfig
from erc_bench.systems.llm.server import (
    PARAMETERS,
    Hardware,
    check_memory,
    explainer,
    make_server,
    resolve_weights,
    server_command,
)
from erc_bench.systems.llm.system import LLM

GIB = 2**30
CPU = Hardware(0, None, 16 * GIB)
LLAMA_13B = "meta-llama/Llama-2-13b-chat-hf"
MODEL = "tester/Tiny-Model"


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "ERC_BENCH_MODELS",
        "ERC_BENCH_VLLM",
        "HF_HUB_OFFLINE",
        "VLLM_CPU_KVCACHE_SPACE",
        "CUDA_VISIBLE_DEVICES",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def model_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


def test_weights_are_a_folder_given_else_below_the_models_folders_else_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_weights(MODEL, offline=False) == MODEL
    here = model_folder(tmp_path / "models" / "tiny-model")
    assert resolve_weights(MODEL, offline=True) == str(here.resolve())
    elsewhere = model_folder(tmp_path / "shelf" / "Tiny-Model")
    monkeypatch.setenv("ERC_BENCH_MODELS", str(tmp_path / "shelf"))
    assert resolve_weights(MODEL, offline=True) == str(elsewhere.resolve())
    given = model_folder(tmp_path / "given")
    assert resolve_weights(str(given), offline=True) == str(given.resolve())


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnavailableError, match=r"must hold config\.json"):
        resolve_weights(str(tmp_path / "empty"), offline=False)


def test_offline_weights_that_are_not_here_name_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelUnavailableError) as caught:
        resolve_weights("nobody/no-such-model", offline=False)
    for way_out in ("hf download nobody/no-such-model", "ERC_BENCH_MODELS", "--set endpoint=URL", "smollm2-135m"):
        assert way_out in str(caught.value)


def test_a_model_larger_than_the_memory_is_refused_before_it_loads() -> None:
    with pytest.raises(SystemFailedError) as caught:
        check_memory(LLAMA_13B, CPU, tensor_parallel=1)
    for part in (
        "needs about 28 GiB",
        "no GPU was found",
        "16 GiB",
        "endpoint=URL",
        "smollm2-135m",
    ):
        assert part in str(caught.value)
    assert "tensor_parallel" not in str(caught.value), "there is nothing to spread it over"
    gpus = Hardware(2, 24 * GIB, 64 * GIB)
    with pytest.raises(SystemFailedError, match=r"1 of the GPUs here have 24 GiB\. Spread it .* tensor_parallel=N"):
        check_memory(LLAMA_13B, gpus, tensor_parallel=1)
    check_memory(LLAMA_13B, gpus, tensor_parallel=2)
    with pytest.raises(ConfigError, match="tensor_parallel must be at most the 2 GPUs here, got 4"):
        check_memory(LLAMA_13B, gpus, tensor_parallel=4)
    check_memory(LLAMA_13B, Hardware(1, None, GIB), tensor_parallel=1)
    check_memory("somebody/unknown-size", CPU, tensor_parallel=1)


def test_the_paper_size_models_state_their_parameters() -> None:
    for name in ("llama2-7b", "llama2-13b", "falcon-7b", "smollm2-135m"):
        cls = system_class(name)
        assert cls(labels=LABELS).parameters == PARAMETERS[cls.Config().model]


def test_vllm_gets_the_model_the_port_and_the_scale() -> None:
    config = Llama13bConfig(tensor_parallel=2, max_model_len=2048, server_args="--dtype bfloat16 --seed 1")
    command = server_command(config, "/models/llama", 8123, Hardware(2, None, GIB))
    assert command[:3] == ["vllm", "serve", "/models/llama"]
    text = " ".join(command)
    for part in (
        f"--served-model-name {LLAMA_13B}",
        "--port 8123",
        "--tensor-parallel-size 2",
        "--max-model-len 2048",
        "--generation-config vllm",
        "--enable-prompt-tokens-details",
    ):
        assert part in text
    assert text.endswith("--dtype bfloat16 --seed 1")
    assert "--no-enable-chunked-prefill" not in text
    assert "--no-enable-chunked-prefill" in server_command(config, "/models/llama", 8123, CPU)


def test_vllm_is_found_in_an_environment_that_is_not_activated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vllm").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert server_command(LLMConfig(model=MODEL), "/m", 1, CPU)[:2] == [str(tmp_path / "vllm"), "serve"]


def test_a_command_of_ones_own_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERC_BENCH_VLLM", "/env/bin/python -m vllm.entrypoints.openai.api_server")
    command = server_command(LLMConfig(model=MODEL), "/m", 1, CPU)
    assert command[:5] == ["/env/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model", "/m"]
    config = LLMConfig(model=MODEL, server_command="other --weights {model} --as {name} -p {port}", server_args="-v")
    assert server_command(config, "/a b", 9, CPU) == ["other", "--weights", "/a b", "--as", MODEL, "-p", "9", "-v"]


def test_a_missing_vllm_names_its_install_and_the_other_ways(tmp_path: Path) -> None:
    model_folder(tmp_path / "models" / "tiny-model")
    with pytest.raises(MissingDependencyError) as caught:
        make_server(LLMConfig(model=MODEL, server_command="no-such-vllm serve"), Runtime(), CPU)
    for part in ("erc-bench[vllm]", "ERC_BENCH_VLLM", "endpoint=URL"):
        assert part in str(caught.value)


def test_the_servers_environment_keeps_it_quiet_and_offline(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "models" / "tiny-model")
    config = LLMConfig(model=MODEL, server_command=f"{shlex.quote(sys.executable)} serve")
    run = tmp_path / "run"
    cpu = make_server(config, Runtime(run_dir=run), CPU)
    assert cpu.log == run / "server.log"
    assert str(folder.resolve()) in cpu.command
    assert cpu._environment["HF_HUB_OFFLINE"] == "1"
    assert cpu._environment["VLLM_NO_USAGE_STATS"] == "1"
    assert cpu._environment["VLLM_CPU_KVCACHE_SPACE"] == "2"
    gpu = make_server(config, Runtime(device="cuda:1"), Hardware(2, None, GIB))
    assert gpu._environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert "VLLM_CPU_KVCACHE_SPACE" not in gpu._environment


# Lines from logs of vLLM 0.32 (the first five) and of its libraries on machines with a GPU or a network.
LOGS = [
    (
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the specified "
        "revision on the local disk and outgoing traffic has been disabled.",
        ModelUnavailableError,
        "hf download",
    ),
    (
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files.",
        ModelUnavailableError,
        "no such model, or no network",
    ),
    (
        "importlib.metadata.PackageNotFoundError: No package metadata was found for vllm",
        MissingDependencyError,
        "vllm-cpu",
    ),
    ("ModuleNotFoundError: No module named 'vllm'", MissingDependencyError, "erc-bench[vllm]"),
    ("RuntimeError: CPU Generator does not use offset", SystemFailedError, "send_seed=false"),
    ("OSError: You are trying to access a gated repo.", ModelUnavailableError, "hf auth login"),
    ("Access to model meta-llama/Llama-2-7b-chat-hf is restricted.", ModelUnavailableError, "Accept their licence"),
    (
        "Repository Not Found for url: https://huggingface.co/x. 401 Client Error.",
        ModelUnavailableError,
        "no such model",
    ),
    (
        "RuntimeError: Failed to infer device type, please set VLLM_LOGGING_LEVEL=DEBUG",
        SystemFailedError,
        "needs a GPU",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB.",
        SystemFailedError,
        "tensor_parallel=N",
    ),
    ("ValueError: No available memory for the cache blocks.", SystemFailedError, "max_model_len"),
]


@pytest.mark.parametrize(("log", "kind", "way_out"), LOGS)
def test_the_log_of_a_dead_server_is_explained(log: str, kind: type[Exception], way_out: str) -> None:
    error = explainer(LLAMA_13B)(f"INFO loading\n{log}\nINFO bye")
    assert type(error) is kind
    assert way_out in str(error)


def test_an_unknown_death_is_not_explained() -> None:
    assert explainer(LLAMA_13B)("INFO 1\nValueError: something else") is None


# A chat server in one file; it answers slowly, so that it can be killed in the middle of a run.
SCRIPT = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

name, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
if (folder / "die").exists():
    raise OSError("You are trying to access a gated repo.")
(folder / "pid").write_text(str(os.getpid()))

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, content):
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.send({"data": [{"id": name}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.05)
        with (folder / "asked.jsonl").open("a") as asked:
            asked.write(json.dumps(body["messages"][-1]["content"]) + "\\n")
        message = {"role": "assistant", "content": "surprise"}
        self.send({"id": "1", "object": "chat.completion", "created": 1, "model": name,
                   "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                   "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def talks(count: int) -> list[Dialogue]:
    return [
        Dialogue(f"test-{i:05}", (Utterance(f"Talk {i} .", "A"), Utterance(f"Yes {i} .", "B"))) for i in range(count)
    ]


def managed(tmp_path: Path, **settings: Any) -> LLM:
    model = tmp_path / "models" / "tiny-model"
    if not model.is_dir():
        model_folder(model)
    (tmp_path / "server.py").write_text(SCRIPT)
    command = shlex.join([sys.executable, f"{tmp_path}/server.py", "{name}", "{port}", str(tmp_path)])
    values = {
        "model": MODEL,
        "server_command": command,
        "concurrency": 2,
        "retries": 0,
        "server_timeout": 60,
    } | settings
    (tmp_path / "run").mkdir(exist_ok=True)
    config = build_config(LLMConfig, values, owner="llm")
    return LLM(config, labels=LABELS, runtime=Runtime(device="cpu", run_dir=tmp_path / "run"))


def test_a_run_starts_its_server_survives_its_death_and_stops_it(tmp_path: Path) -> None:
    llm = managed(tmp_path)
    dialogues = talks(20)
    targets = [t for d in dialogues for t in d.targets()]
    predictions = llm.predict(dialogues, targets, progress=SilentProgress())
    answers = [next(predictions) for _ in range(5)]
    first = int((tmp_path / "pid").read_text())
    os.kill(first, signal.SIGKILL)
    answers += list(predictions)
    assert sorted(a.target for a in answers) == targets
    assert {a.label for a in answers} == {"surprise"}
    assert len((tmp_path / "asked.jsonl").read_text().splitlines()) <= 40 + 2
    second = int((tmp_path / "pid").read_text())
    assert second != first
    measured = llm.report().measurements["server"]
    assert measured["restarts"] == 1
    assert len(measured["start_seconds"]) == 2
    assert str(tmp_path) not in json.dumps(measured)
    assert psutil.pid_exists(second)
    llm.close()
    assert not psutil.pid_exists(second) or psutil.Process(second).status() == psutil.STATUS_ZOMBIE
    assert (tmp_path / "run" / "server.log").read_text().count("$ ") == 2
    llm.close()


def test_a_server_that_dies_for_good_ends_the_run_with_the_reason(tmp_path: Path) -> None:
    llm = managed(tmp_path, restarts=1)
    predictions = llm.predict(talks(9), [t for d in talks(9) for t in d.targets()], progress=SilentProgress())
    try:
        next(predictions)
        (tmp_path / "die").touch()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        with pytest.raises(ModelUnavailableError, match=re.escape("restarts=1 were used up. the weights of")):
            list(predictions)
    finally:
        llm.close()


def test_a_server_command_without_its_package_names_the_install_and_the_log(tmp_path: Path) -> None:
    llm = managed(tmp_path, server_command=f"{shlex.quote(sys.executable)} -m vllm.no_such {{port}}")
    try:
        with pytest.raises(
            MissingDependencyError, match=r"(?s)pip install 'erc-bench\[vllm\]'.*log, .*No module named"
        ):
            list(llm.predict(talks(1), talks(1)[0].targets(), progress=SilentProgress()))
    finally:
        llm.close()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    llm = managed(tmp_path)
    try:
        with pytest.raises(ModelUnavailableError, match="are gated"):
            list(llm.predict(talks(1), talks(1)[0].targets(), progress=SilentProgress()))
    finally:
        llm.close()


def cli_run(tmp_path: Path) -> subprocess.Popen[str]:
    model = tmp_path / "models" / "tiny-model"
    if not model.is_dir():
        model_folder(model)
    (tmp_path / "server.py").write_text(SCRIPT)
    command = shlex.join([sys.executable, f"{tmp_path}/server.py", "{name}", "{port}", str(tmp_path)])
    settings = [f"model={MODEL}", "concurrency=2", f"server_command={command}"]
    program = "from erc_bench.cli import main; main()"
    arguments = ["run", "--system", "llm", "--dataset", "sample", "--targets", "last"]
    arguments += [word for setting in settings for word in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_stops_the_server_and_the_same_command_resumes(tmp_path: Path) -> None:
    first = cli_run(tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "asked.jsonl").is_file() or (tmp_path / "asked.jsonl").read_text().count("\n") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server = int((tmp_path / "pid").read_text())
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130, said
    assert not psutil.pid_exists(server) or psutil.Process(server).status() == psutil.STATUS_ZOMBIE
    second = cli_run(tmp_path)
    printed, said = second.communicate(timeout=120)
    assert second.returncode == 0, said
    assert "complete" in printed
    targets = len(load_dataset("sample").test)
    asked = (tmp_path / "asked.jsonl").read_text().count("\n")
    assert targets <= asked <= targets + 2, "only what was under way at the interruption is asked again"
