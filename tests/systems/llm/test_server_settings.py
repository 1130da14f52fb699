"""What a started server is given and spared: memory checks, GPUs, keys, and what the record shows of its command."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from erc_bench.contract.system import Runtime
from erc_bench.errors import ConfigError, ModelUnavailableError, SystemFailedError
from erc_bench.systems.llm.config import Llama13bConfig, LLMConfig
from erc_bench.systems.llm.server import (
    REVISIONS,
    Hardware,
    explainer,
    make_server,
    public_command,
    resolve_weights,
    server_command,
    visible_gpu,
)

GIB = 2**30
SMALL = Hardware(1, 8 * GIB, 8 * GIB)
VLLM = f"{shlex.quote(sys.executable)} serve"


@pytest.fixture(autouse=True)
def nothing_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ERC_BENCH_MODELS", "ERC_BENCH_VLLM", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        "--quantization fp8",
        "-q=awq",
        "--cpu-offload-gb 40",
        "--pipeline-parallel-size 4",
        "--nnodes=2",
        "--load_format x",
    ],
)
def test_a_server_whose_memory_cannot_be_told_is_not_refused(tmp_path: Path, arguments: str) -> None:
    runtime = Runtime(run_dir=tmp_path)
    make_server(Llama13bConfig(server_command=VLLM, server_args=arguments), runtime, SMALL)
    make_server(Llama13bConfig(server_command=f"{VLLM} {arguments}"), runtime, SMALL)


def test_other_arguments_do_not_switch_the_memory_check_off(tmp_path: Path) -> None:
    config = Llama13bConfig(server_command=VLLM, server_args="--dtype bfloat16 --seed 1")
    with pytest.raises(SystemFailedError, match="needs about 28 GiB"):
        make_server(config, Runtime(run_dir=tmp_path), SMALL)


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (Hardware(2, 8 * GIB, 8 * GIB), "needs about 28 GiB of memory, but 2 of the GPUs here have 16 GiB"),
        (Hardware(0, None, 8 * GIB), "needs about 28 GiB of memory, but no GPU was found"),
        (SMALL, "tensor_parallel must be at most the 1 GPUs here, got 2"),
    ],
)
def test_a_model_spread_over_gpus_is_checked_as_well(tmp_path: Path, machine: Hardware, message: str) -> None:
    config = Llama13bConfig(server_command=VLLM, tensor_parallel=2)
    with pytest.raises((SystemFailedError, ConfigError), match=message):
        make_server(config, Runtime(run_dir=tmp_path), machine)


def test_a_server_of_another_kind_is_not_checked_for_memory(tmp_path: Path) -> None:
    config = Llama13bConfig(
        server_command=f"{shlex.quote(sys.executable)} -m other {{model}} {{port}}", tensor_parallel=8
    )
    make_server(config, Runtime(run_dir=tmp_path), SMALL)


def test_without_a_gpu_a_full_memory_is_not_explained_with_gpus() -> None:
    log = "MemoryError: Cannot allocate memory"
    assert "tensor_parallel" in str(explainer("m", accelerators=1)(log))
    without = str(explainer("m", accelerators=0)(log))
    assert "tensor_parallel" not in without
    assert "memory. Shorten its context" in without


def test_a_started_server_is_asked_with_the_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = LLMConfig(model="a/b", server_command=VLLM)
    assert make_server(config, Runtime(run_dir=tmp_path), SMALL)._api_key == "EMPTY"
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    assert make_server(config, Runtime(run_dir=tmp_path), SMALL)._api_key == "sesame"


@pytest.mark.parametrize(
    ("outer", "device", "inner"),
    [
        (None, "cuda:1", "1"),
        ("2,3", "cuda:1", "3"),
        ("GPU-a, GPU-b", "cuda:0", "GPU-a"),
        ("2,3", "cuda", None),
        ("2,3", "auto", None),
        ("2,3", "cpu", ""),
        (None, "cpu", ""),
    ],
)
def test_a_device_is_counted_among_the_gpus_that_are_seen(
    outer: str | None, device: str, inner: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if outer is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", outer)
    assert visible_gpu(Runtime(device=device), tensor_parallel=1) == inner


def test_a_device_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    with pytest.raises(ConfigError, match="must name one of the 2 GPUs of CUDA_VISIBLE_DEVICES=2,3"):
        visible_gpu(Runtime(device="cuda:2"), tensor_parallel=1)
    with pytest.raises(ConfigError, match="tensor_parallel must be 1 with --device cuda:1, got 2"):
        visible_gpu(Runtime(device="cuda:1"), tensor_parallel=2)


@pytest.mark.parametrize("model", ["/no/such/folder", "./nothing", "~/nothing", "a/b/c"])
def test_a_model_that_is_neither_folder_nor_name_is_refused(model: str) -> None:
    with pytest.raises(ModelUnavailableError, match="model must be a folder that exists or a name on the hub"):
        resolve_weights(model, offline=True)


def test_a_single_file_of_weights_is_left_to_the_server(tmp_path: Path) -> None:
    weights = tmp_path / "model.gguf"
    weights.touch()
    assert resolve_weights(str(weights), offline=False) == str(weights)


def test_the_command_in_the_record_has_no_keys_and_no_paths(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    command = ["/opt/bin/vllm", "serve", str(tmp_path), "--api-key", "sk-1", "sk-2", "--port", "1", "--hf-token=hf_x"]
    command += ["--download-dir=/home/me/x", "--ssl-keyfile", "/home/me/tls.pem", "--max-num-batched-tokens", "512"]
    command += ["--enable-prompt-tokens-details", "--tokenizer", "a/b", "--proxy=http://me:pw@host:1"]
    assert public_command(["env", "API_KEY=sk-3", *command], "owner/model") == (
        "env API_KEY=*** vllm serve owner/model --api-key *** *** --port 1 --hf-token=*** --download-dir=x "
        "--ssl-keyfile tls.pem --max-num-batched-tokens 512 --enable-prompt-tokens-details --tokenizer a/b "
        "--proxy=http://host:1"
    )


def test_a_known_model_is_taken_from_the_hub_at_one_commit() -> None:
    config = LLMConfig(model="tiiuae/falcon-7b-instruct")
    command = server_command(config, config.model, 8123, Hardware(1, None, GIB))
    assert command[command.index("--revision") + 1] == REVISIONS[config.model]
    assert "--revision" not in server_command(config, "/models/falcon", 8123, Hardware(1, None, GIB))
