"""How one target is asked and its answer read: generate, choose, rank."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.contract.system import Prediction
from erc_bench.errors import SystemFailedError
from erc_bench.shown import masked, on_one_line

from .client import Endpoint
from .parsing import RELEASED_CUE, parse_answer, released_rule
from .prompting import Prompter

if TYPE_CHECKING:
    from openai.types import Completion, CompletionUsage
    from openai.types.chat import ChatCompletion

    from .config import LLMConfig

Usage = dict[str, float]
Prefix = tuple[int, ...]
Answer = TypeVar("Answer", "ChatCompletion", "Completion")
# Not JSON, a text instead of an object, no list of choices, numbers as texts, a million brackets.
MALFORMED = (ValueError, AttributeError, TypeError, LookupError, ArithmeticError, RecursionError)
MOST_TOKENS = 2**53  # beyond it a count is none


def request_seed(seed: int, dialogue: str, turn: int) -> int:
    """The sampling seed of one target: it depends on nothing else that is asked, so a resumed run draws the same."""
    digest = hashlib.sha256(f"{seed}\0{dialogue}\0{turn}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


class Interviewer:
    """Asks an endpoint for one target in the mode of a configuration."""

    def __init__(self, config: LLMConfig, prompter: Prompter, labels: LabelSet, *, seed: int) -> None:
        self.config, self.prompter, self.labels, self.seed = config, prompter, labels, seed
        self.requests = 0
        self._lead = "" if config.chat else " "  # raw text goes on after a space, a chat answer starts without one
        self._trie: LabelTrie | None = None
        self._trie_lock = asyncio.Lock()

    async def ask(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        """One prediction."""
        mode = {"generate": self._generate, "choose": self._choose, "rank": self._rank}[self.config.mode]
        return await mode(endpoint, dialogue, turn)

    async def _generate(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        config = self.config
        sampling: dict[str, Any] = {"temperature": config.temperature, "top_p": config.top_p, "n": config.samples}
        extra: dict[str, Any] = {}
        if config.temperature > 0:
            if config.top_k:
                extra["top_k"] = config.top_k
            if config.send_seed:
                sampling["seed"] = request_seed(self.seed, dialogue.id, turn)
        texts, usage = await self._complete(endpoint, dialogue, turn, config.max_tokens, sampling, extra)
        if config.parser == "released":
            asked = self.prompter.text(dialogue, turn)
            read = [f"{asked} {text}" for text in texts]
            labels: list[str | None] = [released_rule(text, self.labels) for text in read]
            usage["read_without_cue"] = sum(RELEASED_CUE not in text for text in read)
        else:
            labels = [parse_answer(text, self.labels) for text in texts]
        if config.samples == 1:
            return Prediction(dialogue.id, turn, labels[0], raw=texts[0], usage=usage)
        label, shares = vote(labels, self.labels)
        return Prediction(dialogue.id, turn, label, shares, json.dumps(texts, ensure_ascii=False), usage)

    async def _choose(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        choices = [self._lead + name for name in self.labels.names]
        room = max(16, *(2 * len(choice) for choice in choices))  # a token is at least a byte
        extra = {"structured_outputs": {"choice": choices}}
        texts, usage = await self._complete(endpoint, dialogue, turn, room, {"temperature": 0.0}, extra)
        label = texts[0].strip()
        if label not in self.labels.names:
            raise SystemFailedError(
                f"mode=choose needs a server that keeps answers to the labels, got '{on_one_line(label, 80)}' from "
                f"{endpoint.shown}. Use a recent vLLM (0.32 is known to work), or --set mode=generate."
            )
        return Prediction(dialogue.id, turn, label, raw=label, usage=usage)

    async def _complete(
        self,
        endpoint: Endpoint,
        dialogue: Dialogue,
        turn: int,
        max_tokens: int,
        sampling: Mapping[str, Any],
        extra: Mapping[str, Any],
    ) -> tuple[list[str], Usage]:
        common: dict[str, Any] = {"model": endpoint.model, "extra_body": dict(extra), **sampling}
        self.requests += 1
        if self.config.chat:
            messages: Any = self.prompter.messages(dialogue, turn)
            chat = await answered(
                endpoint,
                endpoint.client.chat.completions.create(messages=messages, max_completion_tokens=max_tokens, **common),
                choices=common.get("n", 1),
            )
            with reading(endpoint):
                return [_text(choice.message.content) for choice in chat.choices], self._usage(chat.usage)
        # After examples an answer ends with its line: what follows would be the next example.
        stop = ["\n"] if self.config.examples else None
        prompt = self.prompter.text(dialogue, turn)
        completion = await answered(
            endpoint,
            endpoint.client.completions.create(prompt=prompt, max_tokens=max_tokens, stop=stop, **common),
            choices=common.get("n", 1),
        )
        with reading(endpoint):
            return [_text(choice.text) for choice in completion.choices], self._usage(completion.usage)

    def _usage(self, usage: CompletionUsage | None) -> Usage:
        counted: Usage = {"requests": 1}
        counts = {
            "prompt_tokens": getattr(usage, "prompt_tokens", None),
            "completion_tokens": getattr(usage, "completion_tokens", None),
            "cached_tokens": getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None),
        }
        # Other servers than vLLM leave out what the protocol requires, or give what is no count.
        return counted | {kind: count for kind, count in counts.items() if _is_count(count)}

    async def _rank(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> Prediction:
        trie = await self._label_trie(endpoint)
        prompt = await self._prompt_tokens(endpoint, dialogue, turn)
        self.requests += 1
        extra = {"logprob_token_ids": trie.tokens, "return_tokens_as_token_ids": True}
        asking = endpoint.client.completions.create(
            model=endpoint.model,
            prompt=[[*prompt, *prefix] for prefix in trie.prefixes],
            max_tokens=1,
            temperature=0.0,
            logprobs=1,
            extra_body=extra,
        )
        completion = await answered(endpoint, asking, choices=len(trie.prefixes))
        following: dict[Prefix, Mapping[str, float]] = {}
        with reading(endpoint):
            for choice in completion.choices:
                top = choice.logprobs.top_logprobs if choice.logprobs is not None else None
                following[trie.prefixes[choice.index]] = {
                    token: _logprob(value) for token, value in (top[0] if top else {}).items()
                }
        try:
            scores = trie.scores(following, mean=self.config.rank_by == "mean")
        except KeyError as error:
            raise SystemFailedError(
                f"mode=rank needs a server that gives log-probabilities of the tokens asked for (logprob_token_ids), got none "
                f"for {error} from {endpoint.shown}. Use a recent vLLM (0.32 is known to work), or --set mode=choose."
            ) from None
        best = max(self.labels.names, key=lambda name: scores[name])
        return Prediction(dialogue.id, turn, best, scores, usage=self._usage(completion.usage))

    async def _prompt_tokens(self, endpoint: Endpoint, dialogue: Dialogue, turn: int) -> list[int]:
        if self.config.chat:
            return await tokenize(endpoint, messages=self.prompter.messages(dialogue, turn), add_generation_prompt=True)
        return await tokenize(endpoint, prompt=self.prompter.text(dialogue, turn))

    async def _label_trie(self, endpoint: Endpoint) -> LabelTrie:
        async with self._trie_lock:
            if self._trie is None:
                self._trie = LabelTrie({name: await self._label_tokens(endpoint, name) for name in self.labels.names})
            return self._trie

    async def _label_tokens(self, endpoint: Endpoint, name: str) -> Prefix:
        """The tokens a label adds to a prompt, found as the difference that it makes to a short one."""
        if self.config.chat:
            question = {"role": "user", "content": "Label?"}
            answer = {"role": "assistant", "content": name}
            without = await tokenize(endpoint, messages=[question], add_generation_prompt=True)
            with_label = await tokenize(
                endpoint, messages=[question, answer], add_generation_prompt=False, continue_final_message=True
            )
        else:
            without = await tokenize(endpoint, prompt="Label :")
            with_label = await tokenize(endpoint, prompt=f"Label :{self._lead}{name}")
        if with_label[: len(without)] != without or len(with_label) == len(without):
            raise SystemFailedError(
                f"mode=rank needs a prompt that ends on a token boundary, but the tokenizer of {endpoint.model} joins the "
                f"prompt's end with the label {name!r}. Use --set chat={str(not self.config.chat).lower()} or mode=choose."
            )
        return tuple(with_label[len(without) :])


async def answered(endpoint: Endpoint, asking: Awaitable[Answer], *, choices: int) -> Answer:
    """An answer that holds as many choices as were asked for.

    Raises
    ------
    SystemFailedError
        It holds another number of them, or is not what the protocol requires.
    """
    answer: Any = None
    try:
        answer = await asking
        given = len(answer.choices)
    except MALFORMED as error:
        raise _malformed(endpoint, answer, error) from error
    if given != choices:
        raise SystemFailedError(
            f"the server at {endpoint.shown} must give {choices} choices to a request, got {given}. samples=N and mode=rank "
            "need a server that does so (vLLM 0.32 is known to); --set samples=1 --set mode=generate asks for one."
        )
    return cast("Answer", answer)


@contextmanager
def reading(endpoint: Endpoint) -> Iterator[None]:
    """Say what is wrong with an answer where reading it fails.

    Raises
    ------
    SystemFailedError
        It is not what the protocol requires.
    """
    try:
        yield
    except MALFORMED as error:
        raise _malformed(endpoint, None, error) from error


def _malformed(endpoint: Endpoint, answer: object, error: Exception) -> SystemFailedError:
    why = "values nested too deeply" if isinstance(error, RecursionError) else on_one_line(error, 200)
    got = f"'{on_one_line(answer, 80)}'" if isinstance(answer, str) else f"something else ({why})"
    return SystemFailedError(
        f"the server at {endpoint.shown} must answer requests with JSON that holds choices, got {got}. "
        "Is it an OpenAI-compatible server, and is the address right?"
    )


def _text(content: object) -> str:
    """The text of a choice, without a key that the server repeats; none is an empty one."""
    if not isinstance(content, str | None):
        raise TypeError(f"the text of a choice must be a text, got {on_one_line(repr(content), 80)}")
    return masked(content or "")


def _logprob(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(f"a log-probability must be a finite number, got {on_one_line(repr(value), 80)}")
    return float(value)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS


async def tokenize(endpoint: Endpoint, **request: Any) -> list[int]:
    """Token ids of a chat or a text, as the server's own tokenizer and chat template make them."""
    from openai import NotFoundError

    asking = endpoint.client.post(
        f"{endpoint.url}/tokenize", cast_to=dict[str, Any], body={"model": endpoint.model, **request}
    )
    try:
        answer: Any = await asking
        return [_token(token) for token in answer["tokens"]]
    except (NotFoundError, *MALFORMED) as error:
        raise SystemFailedError(
            f"mode=rank needs a server that splits prompts into tokens at {endpoint.shown}/tokenize, as vLLM does, got "
            f"{type(error).__name__}: {on_one_line(error, 200)}. Use vLLM (0.32 or later), or --set mode=choose or mode=generate."
        ) from None


def _token(value: object) -> int:
    if not _is_count(value):
        raise TypeError(f"a token must be a whole number, got {on_one_line(repr(value), 80)}")
    return value


class LabelTrie:
    """The tokens of all labels as a tree, so that shared beginnings are scored once.

    `prefixes` are the inner nodes, the empty one first: what stands before a token that has to be scored. `tokens`
    are all tokens that follow any of them.
    """

    def __init__(self, label_tokens: Mapping[str, Prefix]) -> None:
        self.label_tokens = dict(label_tokens)
        nodes = {ids[:position] for ids in label_tokens.values() for position in range(len(ids))}
        self.prefixes: list[Prefix] = sorted(nodes, key=lambda prefix: (len(prefix), prefix))
        self.tokens = sorted({token for ids in label_tokens.values() for token in ids})

    def scores(self, following: Mapping[Prefix, Mapping[str, float]], *, mean: bool) -> dict[str, float]:
        """Natural log-probability of each label: the sum over its tokens, or their mean.

        `following` gives, after each prefix, the log-probabilities of next tokens by names such as `token_id:42`.

        Raises
        ------
        KeyError
            A token was not scored.
        """
        totals = {}
        for name, ids in self.label_tokens.items():
            steps = [following[ids[:position]][f"token_id:{token}"] for position, token in enumerate(ids)]
            totals[name] = sum(steps) / (len(steps) if mean else 1)
        return totals


def vote(labels: Sequence[str | None], known: LabelSet) -> tuple[str | None, dict[str, float]]:
    """The label most samples gave, and each label's share of all samples.

    Unusable samples have no vote, but count in the shares, which then add up to less than 1. Of labels with equally
    many votes the one that was given first wins.
    """
    votes = Counter(label for label in labels if label is not None)
    winner = votes.most_common(1)[0][0] if votes else None
    return winner, {name: votes[name] / len(labels) for name in known.names}
