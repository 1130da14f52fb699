"""Language models behind an OpenAI-compatible server, asked zero-shot or with a few examples.

The paper asks Llama-2-7b-chat, Llama-2-13b-chat and Falcon-7b-instruct for the last utterance of each test dialogue
(Section 4, "Comparison with LLMs"; Figure 2; Tables 2 and 5). docs/language-models.md says how answers become labels.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import Dialogue, LabelSet, Target
from erc_bench.contract.system import NO_DECISION, Context, Prediction, Report, Runtime, System, SystemInfo
from erc_bench.errors import ConfigError, ModelUnavailableError, SystemFailedError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.toolkit.prompts import PromptTemplate, load_prompt
from erc_bench.toolkit.serving import ManagedServer, fetch_text, public_url, root_url, served_models, trusts_environment

from .client import Endpoint, Session
from .config import Falcon7bConfig, Llama7bConfig, Llama13bConfig, LLMConfig, SmolLM2Config
from .modes import Interviewer
from .parsing import RELEASED_FALLBACK
from .prompting import PLACEHOLDERS, Example, Prompter, choose_examples, load_examples, save_examples
from .server import PARAMETERS, api_key, hardware, make_server, public_command

SEC = "Gendron and Guibon, WASSA 2024 (SEC), Section 4 and Figure 2"
PROMPT_FILE = "prompt.txt"
NUMBER = r"\d{1,18}(?:\.\d{1,18})?(?:e\+?\d{1,2})?"
PREFIX_CACHE = re.compile(rf"^vllm:prefix_cache_(queries|hits)_total(?:\{{[^}}]*\}})? ({NUMBER})$", re.MULTILINE)
VERSION = re.compile(r'"version"\s*:\s*"([\w.+-]{1,80})"', re.ASCII)


@dataclass
class _Tally:
    """What was measured while this process asked."""

    requests: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    moves: int = 0
    restarts: int = 0
    cache_queries: float = 0.0
    cache_hits: float = 0.0
    versions: set[str] = field(default_factory=set)


class LLM(System[LLMConfig]):
    """Any language model behind a server: `--set model=… --set prompt=…`."""

    info = SystemInfo(
        name="llm",
        summary="Any chat model behind an OpenAI-compatible server, asked with a prompt template",
        reference=SEC,
        context="dialogue",
        licence="Apache-2.0; the model's own licence holds for its weights",
        deterministic=False,
    )

    def __init__(self, config: LLMConfig | None = None, *, labels: LabelSet, runtime: Runtime | None = None) -> None:
        super().__init__(config, labels=labels, runtime=runtime)
        self._examples: list[Example] = []
        self._server: ManagedServer | None = None
        self._tally = _Tally()

    @classmethod
    def decision_of(cls, config: Mapping[str, Any]) -> str:
        """In mode `rank` the likeliest label: an offset chosen on validation would cost as many questions again."""
        return "argmax" if config.get("mode") == "rank" else NO_DECISION

    @property
    def context(self) -> Context:
        return self.config.context

    @property
    def parameters(self) -> int | None:
        return PARAMETERS.get(self.config.model)

    @property
    def trains(self) -> bool:
        return self.config.examples > 0

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        """Choose the examples."""
        self._examples = choose_examples(train, self.labels, count=self.config.examples, seed=seed)

    def save(self, folder: Path) -> None:
        save_examples(self._examples, folder)

    def load(self, folder: Path) -> None:
        self._examples = load_examples(folder)

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        if not targets:
            return
        interviewer = Interviewer(self.config, self._prompter(), self.labels, seed=self.runtime.seed)
        called = time.monotonic()
        with asyncio.Runner() as runner:
            session = Session(
                runner.run(self._open(progress)),
                interviewer.ask,
                concurrency=self.config.concurrency,
                patience=self.config.server_timeout,
            )
            self._tally.waited = time.monotonic() - called if self._server is not None else 0.0
            try:
                before = runner.run(self._cache_counters(session))
                started = time.monotonic()
                runner.run(_begin(session, dialogues, targets))
                with progress.task(f"Asking {self.config.model}", total=len(targets), unit="utterances") as task:
                    left = len(targets)
                    while left:
                        for prediction in runner.run(session.answers()):
                            left -= 1
                            task.advance()
                            yield prediction
                self._tally.seconds += time.monotonic() - started
                runner.run(self._count_cache(session, before))
            finally:
                self._tally.requests += interviewer.requests
                self._tally.moves += session.moves
                runner.run(session.close())

    def _prompter(self) -> Prompter:
        config = self.config
        template = load_prompt(config.prompt, required=["dialogue"], optional=PLACEHOLDERS)
        if "target" not in template.fields and config.context != "past":
            raise ConfigError(
                f"context must be past with the prompt {config.prompt}, got {config.context}: without {{target}} it asks about "
                "the last utterance shown, so the dialogue has to end there."
            )
        if config.parser == "released" and RELEASED_FALLBACK not in self.labels.names:
            raise ConfigError(f"parser=released needs a label {RELEASED_FALLBACK}, got {', '.join(self.labels.names)}.")
        self._keep_prompt(template)
        prompter = Prompter(template, self.labels, context=config.context, examples=self._examples)
        probe = template.render(dialogue="", target="", labels=", ".join(self.labels.names))
        unnamed = [name for name in self.labels.names if name.casefold() not in probe.casefold()]
        if unnamed:
            raise ConfigError(
                f"the prompt {config.prompt} must name every label, got none of: {', '.join(unnamed)}. Use {{labels}} in it, "
                "or --set prompt=labels."
            )
        return prompter

    def _keep_prompt(self, template: PromptTemplate) -> None:
        """Keep the template beside the run: a run resumed after an edit would mix two prompts unseen."""
        if self.runtime.run_dir is None:
            return
        kept = self.runtime.run_dir / PROMPT_FILE
        if not kept.is_file():
            kept.write_text(template.text, encoding="utf-8")
        elif kept.read_text(encoding="utf-8") != template.text:
            raise SystemFailedError(
                f"the prompt {self.config.prompt} must not change within a run, but {kept} holds another text. Restore it, or "
                "use --overwrite or a file of another name."
            )

    async def _open(self, progress: Progress) -> list[Endpoint]:
        if not self.config.model:
            raise ConfigError(f"the system {self.info.name} needs a model, got none. Give one: --set model=HUB_ID.")
        if not self.config.endpoints:
            return [await self._own_endpoint(progress)]
        return await self._foreign_endpoints([root_url(url) for url in self.config.endpoints], progress)

    async def _own_endpoint(self, progress: Progress) -> Endpoint:
        config = self.config
        if self._server is None:
            self._server = make_server(config, self.runtime, hardware(self.runtime))
        server = self._server

        async def bring_back() -> None:
            while True:
                try:
                    await server.wait_until_ready(timeout=config.server_timeout, progress=SilentProgress())
                    return
                except SystemFailedError as error:
                    if self._tally.restarts >= config.restarts:
                        raise error.restated(f"restarts={config.restarts} were used up. {error}") from None
                    self._tally.restarts += 1
                    progress.note(
                        f"The model server died; starting it again ({self._tally.restarts} of {config.restarts})."
                    )
                    server.start()

        if not server.running:
            progress.note(f"Starting {config.model}; its log is {server.log}")
            server.start()
        models = await server.wait_until_ready(timeout=config.server_timeout, progress=progress)
        return self._endpoint(server.url, self._served(models, server.url), bring_back=bring_back)

    async def _foreign_endpoints(self, urls: list[str], progress: Progress) -> list[Endpoint]:
        offered = await asyncio.gather(*(served_models(url, api_key=api_key()) for url in urls))
        silent = [
            (public_url(url), offer.got) for url, offer in zip(urls, offered, strict=True) if offer.models is None
        ]
        if len(silent) == len(urls):
            where = ", ".join(f"{url}/v1/models" for url, _ in silent)
            raise SystemFailedError(
                f"a server must answer at {where}, got {', '.join(got for _, got in silent)}. Start that server, correct --set "
                "endpoint=…, or leave it out to have a server started."
            )
        if silent:
            shown = ", ".join(f"{url} ({got})" for url, got in silent)
            progress.note(f"Starting without {shown}; used once it offers a model.")
        endpoints = []
        for url, (models, _) in zip(urls, offered, strict=True):
            name = self._wanted if models is None else self._served(models, url)
            endpoints.append(self._endpoint(url, name))
            endpoints[-1].answers = models is not None
        return endpoints

    @property
    def _wanted(self) -> str:
        return self.config.served_name or self.config.model

    def _served(self, models: list[str], url: str) -> str:
        if self._wanted not in models:
            raise ModelUnavailableError(
                f"the server at {public_url(url)} must offer {self._wanted}, got: {', '.join(models) or 'no model'}. If "
                "one of these is that model under another name: --set served_name=NAME."
            )
        return self._wanted

    def _endpoint(self, url: str, name: str, bring_back: Any = None) -> Endpoint:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        client = AsyncOpenAI(
            base_url=f"{url}/v1",
            api_key=api_key(),
            timeout=self.config.timeout,
            max_retries=self.config.retries,
            http_client=DefaultAsyncHttpxClient(trust_env=trusts_environment(url)),
        )
        return Endpoint(url, name, client, bring_back)

    async def _cache_counters(self, session: Session) -> list[dict[str, float]]:
        """The prefix-cache counters of each server, in tokens; empty for servers that have none."""
        pages = await asyncio.gather(*(fetch_text(f"{endpoint.url}/metrics") for endpoint in session.endpoints))
        counters = []
        for page in pages:
            totals: dict[str, float] = {}
            for kind, value in PREFIX_CACHE.findall(page or ""):  # one line an engine
                totals[kind] = totals.get(kind, 0.0) + float(value)
            counters.append(totals)
        return counters

    async def _count_cache(self, session: Session, before: list[dict[str, float]]) -> None:
        for old, new in zip(before, await self._cache_counters(session), strict=True):
            queries, hits = (new.get(kind, -1.0) - old.get(kind, 0.0) for kind in ("queries", "hits"))
            if len(old) == 2 and 0 <= hits <= queries:  # not where a server was restarted, or counts something else
                self._tally.cache_queries += queries
                self._tally.cache_hits += hits
        for endpoint in session.endpoints:
            version = VERSION.search(await fetch_text(f"{endpoint.url}/version") or "")
            if version:
                self._tally.versions.add(version[1])

    def report(self) -> Report:
        tally, config = self._tally, self.config
        measurements: dict[str, Any] = {"model": config.model, "endpoints": len(config.endpoints) or 1}
        if tally.seconds:
            measurements["asked_here"] = {
                "requests": tally.requests,
                "seconds": round(tally.seconds, 1),
                "requests_per_second": round(tally.requests / tally.seconds, 2),
                "requests_moved_or_repeated": tally.moves,
            }
        if tally.cache_queries:
            measurements["prefix_cache_hit_rate"] = round(tally.cache_hits / tally.cache_queries, 3)
        if tally.versions:
            measurements["server_versions"] = sorted(tally.versions)
        if self._server is not None:
            measurements["server"] = {
                "command": public_command(self._server.command, config.model),
                "start_seconds": self._server.start_seconds,
                "restarts": tally.restarts,
            }
        notes = []
        if config.parser == "released":
            notes.append("parsed by the released code's rule: a prompt and answer without 'is:' count as happiness")
        return Report(tuple(notes), measurements, config.prices, tally.waited)

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


async def _begin(session: Session, dialogues: Sequence[Dialogue], targets: Sequence[Target]) -> None:
    session.start(dialogues, targets)


class Llama7b(LLM):
    """The paper's Llama-2-7b-chat."""

    info = SystemInfo(
        name="llama2-7b",
        summary="Llama-2-7b-chat, zero-shot with the paper's prompt",
        reference=f"Touvron et al. 2023; {SEC}",
        context="dialogue",
        licence="Apache-2.0; weights: Llama 2 Community License",
        deterministic=False,
    )
    Config = Llama7bConfig


class Llama13b(LLM):
    """The paper's Llama-2-13b-chat."""

    info = SystemInfo(
        name="llama2-13b",
        summary="Llama-2-13b-chat, zero-shot with the paper's prompt",
        reference=f"Touvron et al. 2023; {SEC}",
        context="dialogue",
        licence="Apache-2.0; weights: Llama 2 Community License",
        deterministic=False,
    )
    Config = Llama13bConfig


class Falcon7b(LLM):
    """The paper's Falcon-7b-instruct."""

    info = SystemInfo(
        name="falcon-7b",
        summary="Falcon-7b-instruct, zero-shot with the paper's prompt",
        reference=f"Penedo et al. 2023; {SEC}",
        context="past",
        licence="Apache-2.0; weights: Apache-2.0",
        deterministic=False,
    )
    Config = Falcon7bConfig


class SmolLM2(LLM):
    """A chat model small enough for a laptop's processor."""

    info = SystemInfo(
        name="smollm2-135m",
        summary="SmolLM2-135M-Instruct, zero-shot with the paper's Llama prompt; runs on any machine",
        reference=f"Ben Allal et al. 2025 (SmolLM2); {SEC}",
        context="dialogue",
        licence="Apache-2.0; weights: Apache-2.0",
        deterministic=False,
    )
    Config = SmolLM2Config
