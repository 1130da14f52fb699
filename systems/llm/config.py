"""Settings of the language-model systems."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from erc_bench.contract.config import option
from erc_bench.files import folder_sha256
from erc_bench.toolkit.prompts import load_prompt, prompt_names
from erc_bench.toolkit.serving import root_url

from .prompting import PLACEHOLDERS

MODEL_FILES = ("*.safetensors", "*.bin", "*.gguf", "*.json", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True, kw_only=True)
class LLMConfig:
    """Settings of a language model and of the server that it is asked through."""

    model: str = option("", "hub id or folder of the model, or the name under which an endpoint serves it")
    prompt: str = option("labels", "a packaged template (falcon, labels, llama2, llama2-cue) or a .txt file")
    mode: Literal["generate", "choose", "rank"] = option(
        "generate", "free text that is parsed; constrained to the labels; labels ranked by log-probability"
    )
    context: Literal["past", "dialogue"] = option("dialogue", "show the dialogue up to the target, or all of it")
    chat: bool = option(True, "use the model's chat template; false sends the prompt as raw text")
    examples: int = option(
        0, "labelled utterances of the training split shown before the question, seeded", at_least=0, at_most=10_000
    )
    parser: Literal["rules", "released"] = option(
        "rules", "how free text becomes a label: our rules, or that of the paper's code, which reads prompt and answer"
    )
    samples: int = option(
        1, "generate: answers a target; of several the most frequent label counts", at_least=1, at_most=1000
    )
    temperature: float = option(1.0, "generate: 0 is greedy", at_least=0, at_most=100)
    top_k: int = option(10, "generate: sample among the k likeliest tokens; 0 is all", at_least=0, at_most=1_000_000)
    top_p: float = option(
        1.0, "generate: sample among the likeliest tokens of this total probability", above=0, at_most=1
    )
    max_tokens: int = option(128, "generate: longest answer, in tokens", at_least=1, at_most=1_000_000)
    rank_by: Literal["sum", "mean"] = option("sum", "rank: total log-probability of a label's tokens, or their mean")
    endpoint: str | None = option(
        None, "address of a running server, several separated by commas; none starts one", private=True
    )
    served_name: str | None = option(
        None, "name under which the endpoint serves the model, if not `model`", identity=False
    )
    server_command: str | None = option(
        None, "command of the server to start; default: ERC_BENCH_VLLM, else `vllm serve`", private=True
    )
    server_args: str = option("", "arguments added to the server's command", private=True)
    tensor_parallel: int = option(
        1, "GPUs that the started server spreads the model over", identity=False, at_least=1, at_most=4096
    )
    max_model_len: int | None = option(
        None,
        "longest prompt and answer of the started server, in tokens",
        identity=False,
        at_least=1,
        at_most=100_000_000,
    )
    port: int = option(0, "port of the started server; 0 takes a free one", identity=False, at_least=0, at_most=65_535)
    server_timeout: float = option(
        1800.0, "seconds a server may take to start or to come back", identity=False, above=0, at_most=1_000_000
    )
    restarts: int = option(
        3, "how often a started server that died is started again", identity=False, at_least=0, at_most=1000
    )
    concurrency: int = option(
        64, "targets asked at a time, for each endpoint", identity=False, at_least=1, at_most=10_000
    )
    timeout: float = option(300.0, "seconds a request may take", identity=False, above=0, at_most=1_000_000)
    retries: int = option(
        4, "retries of a failed request, with exponential backoff", identity=False, at_least=0, at_most=1000
    )
    send_seed: bool = option(True, "send a sampling seed with each request", identity=False)
    price_in: float | None = option(
        None, "price of a million prompt tokens, for the cost in the record", identity=False, at_least=0, at_most=1e9
    )
    price_out: float | None = option(None, "price of a million answer tokens", identity=False, at_least=0, at_most=1e9)

    def __post_init__(self) -> None:
        if self.samples > 1 and (self.mode != "generate" or self.temperature == 0):
            raise ValueError(
                f"samples must be 1 where answers do not vary (mode={self.mode}, temperature={self.temperature:g})"
            )
        if self.parser == "released" and self.mode != "generate":
            raise ValueError(f"parser=released must go with mode=generate, got mode={self.mode}")
        for url in self.endpoints:
            root_url(url)

    def file_digests(self) -> dict[str, str]:
        """SHA-256 of the prompt's text where it is a file, and of the model where it is a folder: others are another run.

        Raises
        ------
        UnknownNameError, ConfigError
            As `load_prompt`.
        """
        digests = {}
        if self.prompt not in prompt_names():
            digests["prompt"] = load_prompt(self.prompt, required=["dialogue"], optional=PLACEHOLDERS).sha256
        if self.model and (folder := Path(self.model).expanduser()).is_dir():
            digests["model"] = folder_sha256(folder, MODEL_FILES)
        return digests

    @property
    def prices(self) -> dict[str, float]:
        """Price of one token, by kind of usage; empty if no price is given."""
        if self.price_in is None and self.price_out is None:
            return {}
        return {"prompt_tokens": (self.price_in or 0) / 1e6, "completion_tokens": (self.price_out or 0) / 1e6}

    @property
    def endpoints(self) -> list[str]:
        """The addresses given, in order."""
        return [url for url in (self.endpoint or "").split(",") if url.strip()]


@dataclass(frozen=True, kw_only=True)
class LlamaConfig(LLMConfig):
    """The paper's Llama prompt."""

    prompt: str = option("llama2", "a packaged template (falcon, labels, llama2, llama2-cue) or a .txt file")


@dataclass(frozen=True, kw_only=True)
class Llama7bConfig(LlamaConfig):
    """Llama-2-7b as in the paper."""

    model: str = option("meta-llama/Llama-2-7b-chat-hf", "hub id or folder of the model, or its name at an endpoint")


@dataclass(frozen=True, kw_only=True)
class Llama13bConfig(LlamaConfig):
    """Llama-2-13b as in the paper."""

    model: str = option("meta-llama/Llama-2-13b-chat-hf", "hub id or folder of the model, or its name at an endpoint")


@dataclass(frozen=True, kw_only=True)
class Falcon7bConfig(LLMConfig):
    """Falcon-7b as in the paper; its prompt asks about the last utterance shown."""

    model: str = option("tiiuae/falcon-7b-instruct", "hub id or folder of the model, or its name at an endpoint")
    prompt: str = option("falcon", "a packaged template (falcon, labels, llama2, llama2-cue) or a .txt file")
    context: Literal["past", "dialogue"] = option("past", "show the dialogue up to the target, or all of it")


@dataclass(frozen=True, kw_only=True)
class SmolLM2Config(LlamaConfig):
    """A model for every machine, with the paper's Llama prompt."""

    model: str = option(
        "HuggingFaceTB/SmolLM2-135M-Instruct", "hub id or folder of the model, or its name at an endpoint"
    )
    max_tokens: int = option(32, "generate: longest answer, in tokens", at_least=1, at_most=1_000_000)
    max_model_len: int | None = option(
        4096,
        "longest prompt and answer of the started server, in tokens",
        identity=False,
        at_least=1,
        at_most=100_000_000,
    )
