"""Language-model systems against a small server inside the test process that speaks the OpenAI protocol."""

from __future__ import annotations

import hashlib
import json
import math
import re
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from erc_bench.config import build_config
from erc_bench.conformance import check_system
from erc_bench.domain import DAILYDIALOG_LABELS, Dialogue, LabelSet, Target, Utterance
from erc_bench.errors import ConfigError, ModelUnavailableError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.registry import system_class
from erc_bench.serving import free_port
from erc_bench.system import Prediction, Runtime
from erc_bench.systems._llm_config import LLMConfig
from erc_bench.systems._llm_modes import LabelTrie, vote
from erc_bench.systems._llm_prompting import choose_examples
from erc_bench.systems.llm import LLM

MODEL = "tester/small"
NAMES = DAILYDIALOG_LABELS.names


def label_for(prompt: str) -> str:
    """The label that the test server thinks of: it depends on the prompt only."""
    return NAMES[hashlib.sha256(prompt.encode()).digest()[0] % len(NAMES)]


def prompt_of(body: dict[str, Any]) -> str:
    if "messages" in body:
        return "".join(f"<{message['role']}>{message['content']}" for message in body["messages"])
    return str(body["prompt"])


class Server:
    """`failures` are status codes given before the next answers; `delay` is in seconds."""

    def __init__(self, port: int = 0) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.failures: deque[int] = deque()
        self.error_message = "made up"
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
            return 200, {"tokens": list(rendered(body).encode())}
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
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def do_GET(self) -> None:
        if self.owner.key is not None and self.headers["Authorization"] != f"Bearer {self.owner.key}":
            self._send(401, {})
        elif self.path == "/v1/models":
            self._send(200, {"data": [{"id": self.owner.model}]})
        elif self.path == "/version":
            self._send(200, {"version": "9.9"})
        elif self.path == "/metrics":
            asked = len(self.owner.bodies)
            counters = {"queries": 100, "hits": 60}
            lines = [f'vllm:prefix_cache_{kind}_total{{engine="0"}} {n * asked:.1f}\n' for kind, n in counters.items()]
            self._send(200, "".join(lines))
        else:
            self._send(404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._send(*self.owner.respond(self.path, body))


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


def dialogues(count: int, length: int = 3) -> list[Dialogue]:
    return [
        Dialogue(f"test-{i:05}", tuple(Utterance(f"Line {t} of talk {i} .", "AB"[t % 2]) for t in range(length)))
        for i in range(count)
    ]


def system(*servers: Server, run_dir: Path | None = None, name: str = "llm", seed: int = 0, **settings: Any) -> LLM:
    values = {"model": MODEL, "endpoint": ",".join(s.url for s in servers) or None} | settings
    cls = system_class(name)
    made = cls(
        build_config(cls.Config, values, owner=name), labels=DAILYDIALOG_LABELS, runtime=Runtime(seed, run_dir=run_dir)
    )
    assert isinstance(made, LLM)
    return made


def ask(llm: LLM, talks: Sequence[Dialogue], targets: Sequence[Target] | None = None) -> dict[Target, Prediction]:
    targets = [t for talk in talks for t in talk.targets()] if targets is None else targets
    answers = {p.target: p for p in llm.predict(talks, targets, progress=SilentProgress())}
    assert set(answers) == set(targets)
    return answers


def test_generate_sends_the_papers_decoding_and_parses_the_answer(server: Server) -> None:
    talks = dialogues(1)
    answers = ask(system(server, prompt="llama2"), talks)
    assert len(server.bodies) == 3
    by_prompt = {prompt_of(body): body for body in server.bodies}
    for turn, utterance in enumerate(talks[0].utterances):
        prompt = next(p for p in by_prompt if f'utterance : "{utterance.text}" ,' in p)
        body = by_prompt[prompt]
        assert "- Line 0 of talk 0 .\n- Line 1 of talk 0 .\n- Line 2 of talk 0 ." in prompt
        assert (body["temperature"], body["top_k"], body["top_p"], body["n"]) == (1.0, 10, 1.0, 1)
        assert body["max_completion_tokens"] == 128
        answer = answers[Target("test-00000", turn)]
        assert answer.label == answer.raw == label_for(prompt)
        assert answer.usage == {"requests": 1, "prompt_tokens": 100, "completion_tokens": 3, "cached_tokens": 64}


def test_greedy_decoding_needs_no_seed_and_no_top_k(server: Server) -> None:
    ask(system(server, temperature=0), dialogues(1))
    assert all(b["temperature"] == 0 and "seed" not in b and "top_k" not in b for b in server.bodies)


def test_unusable_answers_have_no_label_and_keep_their_text(server: Server) -> None:
    server.answer = lambda body: "I am only a program."
    answers = ask(system(server), dialogues(2))
    assert {a.label for a in answers.values()} == {None}
    assert {a.raw for a in answers.values()} == {"I am only a program."}


def test_the_released_parser_makes_happiness_of_them_and_counts_it(server: Server) -> None:
    server.answer = lambda body: "The appropriate emotion is sadness."
    llm = system(server, name="falcon-7b", parser="released")
    answers = ask(llm, dialogues(2))
    assert {a.label for a in answers.values()} == {"happiness"}
    assert all(a.usage is not None and a.usage["answers_without_cue"] == 1 for a in answers.values())
    assert llm.report().notes


def test_the_released_parser_needs_its_fallback_label(server: Server) -> None:
    cls = system_class("llm")
    config = build_config(cls.Config, {"model": MODEL, "endpoint": server.url, "parser": "released"}, owner="llm")
    llm = cls(config, labels=LabelSet(("neutral", "joy"), "neutral"))
    with pytest.raises(ConfigError, match="needs a label happiness"):
        list(llm.predict(dialogues(1), [Target("test-00000", 0)], progress=SilentProgress()))


def test_choose_constrains_the_server_to_the_labels(server: Server) -> None:
    answers = ask(system(server, mode="choose"), dialogues(2))
    assert all(b["structured_outputs"] == {"choice": list(NAMES)} and b["temperature"] == 0 for b in server.bodies)
    assert all(a.label in NAMES for a in answers.values())


def test_choose_refuses_a_server_that_ignores_the_constraint(server: Server) -> None:
    server.answer = lambda body: "Well, anger."
    with pytest.raises(SystemFailedError, match=r"keeps answers to the labels, got 'Well, anger.'"):
        ask(system(server, mode="choose"), dialogues(1))


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("rank_by", ["sum", "mean"])
def test_rank_scores_each_label_with_the_probability_of_all_its_tokens(
    server: Server, chat: bool, rank_by: str
) -> None:
    talks = dialogues(2)
    llm = system(server, mode="rank", chat=chat, rank_by=rank_by)
    answers = ask(llm, talks)
    assert len(server.bodies) == 6, "one request a target scores all labels"
    for talk in talks:
        for turn in range(3):
            prompter = llm._prompter()
            if chat:
                text = rendered({"messages": prompter.messages(talk, turn), "add_generation_prompt": True})
            else:
                text = prompter.text(talk, turn) + " "
            expected = {}
            for name in NAMES:
                tokens, total = list(text.encode()), 0.0
                start = len(tokens) - (0 if chat else 1)
                tokens += name.encode()
                for position in range(start, len(tokens)):
                    total += token_logprob(tokens[:position], tokens[position])
                expected[name] = total / (len(tokens) - start) if rank_by == "mean" else total
            answer = answers[Target(talk.id, turn)]
            assert answer.scores == pytest.approx(expected)
            assert answer.label == max(expected, key=lambda name: expected[name])


def test_rank_refuses_a_server_that_gives_no_log_probabilities(server: Server) -> None:
    server.scored = lambda index, tokens, body: {  # type: ignore[method-assign]
        "index": index,
        "finish_reason": "length",
        "text": "x",
        "logprobs": None,
    }
    with pytest.raises(SystemFailedError, match="logprob_token_ids"):
        ask(system(server, mode="rank"), dialogues(1))


def test_a_label_trie_scores_shared_beginnings_once() -> None:
    trie = LabelTrie({"anger": (5,), "sad": (1, 2), "surprise": (1, 3, 4)})
    assert trie.prefixes == [(), (1,), (1, 3)]
    assert trie.tokens == [1, 2, 3, 4, 5]
    following = {
        (): {"token_id:1": -1.0, "token_id:5": -2.0},
        (1,): {"token_id:2": -0.5, "token_id:3": -1.5},
        (1, 3): {"token_id:4": -0.25},
    }
    assert trie.scores(following, mean=False) == {"anger": -2.0, "sad": -1.5, "surprise": -2.75}
    assert trie.scores(following, mean=True)["surprise"] == pytest.approx(-2.75 / 3)


def test_raw_text_goes_to_the_completions_endpoint(server: Server) -> None:
    answers = ask(system(server, chat=False, prompt="llama2"), dialogues(1))
    assert all(b["prompt"].endswith("Predicted label :") and "messages" not in b for b in server.bodies)
    assert all(a.label in NAMES for a in answers.values())


def test_context_past_shows_nothing_that_comes_after_the_target(server: Server) -> None:
    llm = system(server, context="past")
    assert llm.context == "past"
    full = ask(llm, dialogues(3))
    seen = {prompt_of(b) for b in server.bodies}
    assert sum("Line 1" in p for p in seen) == 6
    cut = [Dialogue(d.id, d.utterances[:2]) for d in dialogues(3)]
    again = ask(llm, cut, [Target(d.id, 1) for d in cut])
    assert {t: p.label for t, p in again.items()} == {t: full[t].label for t in again}


def test_a_prompt_about_the_last_utterance_shown_must_end_there(server: Server) -> None:
    with pytest.raises(ConfigError, match="context must be past with the prompt falcon"):
        ask(system(server, name="falcon-7b", context="dialogue"), dialogues(1))
    ask(system(server, name="falcon-7b"), dialogues(1))
    assert sorted(p.count("\n- ") for p in map(prompt_of, server.bodies)) == [1, 2, 3]


def test_a_prompt_that_does_not_name_every_label_is_refused(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("{dialogue} Is '{target}' anger, disgust, fear, happiness or sadness?")
    with pytest.raises(ConfigError, match="must name every label, got none of: no emotion, surprise"):
        ask(system(server, prompt=str(path)), dialogues(1))


def test_a_prompt_edited_within_a_run_is_refused(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("{dialogue} {target} {labels}")
    run = tmp_path / "run"
    run.mkdir()
    ask(system(server, prompt=str(path), run_dir=run), dialogues(1))
    path.write_text("Now: {dialogue} {target} {labels}")
    with pytest.raises(SystemFailedError, match="must not change within a run"):
        ask(system(server, prompt=str(path), run_dir=run), dialogues(1))


def test_seeds_depend_on_the_target_and_the_run_only(server: Server) -> None:
    def seeds(seed: int, targets: list[Target]) -> dict[str, int]:
        server.bodies.clear()
        ask(system(server, seed=seed), dialogues(2), targets)
        return {prompt_of(b): b["seed"] for b in server.bodies}

    every = [t for d in dialogues(2) for t in d.targets()]
    first, again, other = seeds(1, every), seeds(1, every[3:]), seeds(2, every)
    assert len(set(first.values())) == 6
    assert again.items() <= first.items()
    assert not set(first.values()) & set(other.values())
    assert all(0 <= seed < 2**31 for seed in first.values())


def test_several_samples_vote_and_their_shares_are_the_scores(server: Server) -> None:
    said = ["fear", "??", "anger", "anger", "fear", "anger"]
    server.answer = lambda body: said[body["i"]]
    answer = ask(system(server, samples=6), dialogues(1), [Target("test-00000", 0)])[Target("test-00000", 0)]
    assert answer.label == "anger"
    assert answer.scores is not None
    assert answer.scores["anger"] == pytest.approx(3 / 6)
    assert sum(answer.scores.values()) == pytest.approx(5 / 6)
    assert json.loads(answer.raw or "") == said


def test_votes_tie_to_the_first_and_unusable_samples_have_none() -> None:
    assert vote(["fear", "anger", "anger", "fear"], DAILYDIALOG_LABELS)[0] == "fear"
    assert vote([None, None, "anger"], DAILYDIALOG_LABELS)[0] == "anger"
    label, shares = vote([None, None], DAILYDIALOG_LABELS)
    assert label is None
    assert set(shares.values()) == {0.0}


def labelled(count: int) -> list[Dialogue]:
    return [
        Dialogue(
            f"train-{i:05}",
            tuple(Utterance(f"Training {i} {t} .", "AB"[t % 2], NAMES[(i * t) % 7]) for t in range(4)),
        )
        for i in range(count)
    ]


def test_examples_are_seeded_balanced_and_stand_before_the_question(server: Server, tmp_path: Path) -> None:
    train = labelled(20)
    llm = system(server, examples=7)
    assert llm.trains
    assert not system(server).trains
    llm.fit(train, [], seed=3, progress=SilentProgress())
    llm.save(tmp_path)
    loaded = system(server, examples=7)
    loaded.load(tmp_path)
    ask(loaded, dialogues(1), [Target("test-00000", 1)])
    messages = server.bodies[0]["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"] * 7 + ["user"]
    assert sorted(m["content"] for m in messages[1:-1:2]) == sorted(NAMES)
    truth = {u.text: u.label for d in train for u in d.utterances}
    for question, answer in zip(messages[0:-1:2], messages[1:-1:2], strict=True):
        target = re.search(r'express: "([^"]+)"', question["content"])
        assert target is not None
        assert truth[target[1]] == answer["content"]
    assert choose_examples(train, DAILYDIALOG_LABELS, count=7, seed=3) != choose_examples(
        train, DAILYDIALOG_LABELS, count=7, seed=4
    )
    with pytest.raises(SystemFailedError, match="at most the training split's 80 utterances, got 81"):
        choose_examples(train, DAILYDIALOG_LABELS, count=81, seed=0)


def test_examples_in_raw_text_are_solved_prompts_and_answers_end_with_their_line(server: Server) -> None:
    llm = system(server, examples=2, chat=False, prompt="llama2")
    llm.fit(labelled(9), [], seed=0, progress=SilentProgress())
    ask(llm, dialogues(1), [Target("test-00000", 1)])
    prompt = server.bodies[0]["prompt"]
    assert len(re.findall(r"Predicted label : \w", prompt)) == 2
    assert prompt.endswith("Predicted label :")
    assert server.bodies[0]["stop"] == ["\n"]


def test_passing_failures_are_retried_and_cost_no_answer(server: Server) -> None:
    server.failures.extend([500, 429, 503])
    answers = ask(system(server), dialogues(2))
    assert len(answers) == 6
    assert len(server.bodies) == 9


def test_a_hanging_request_is_given_up_and_asked_again(server: Server) -> None:
    server.hang_first = 1
    started = time.monotonic()
    ask(system(server, timeout=0.5), dialogues(1))
    assert time.monotonic() - started < 4
    assert len(server.bodies) == 4


@pytest.mark.parametrize(
    ("status", "said", "error", "way_out"),
    [
        (400, "This model's maximum context length is 2048 tokens", SystemFailedError, "fewer examples"),
        (400, "default chat template is no longer allowed, provide a chat template", SystemFailedError, "chat=false"),
        (401, "no key", SystemFailedError, "OPENAI_API_KEY"),
        (404, "no such model", ModelUnavailableError, "served_name"),
        (422, "unknown parameter", SystemFailedError, "recent vLLM"),
    ],
)
def test_refusals_are_not_retried_and_name_the_way_out(
    server: Server, status: int, said: str, error: type[Exception], way_out: str
) -> None:
    server.failures.append(status)
    server.error_message = said
    with pytest.raises(error, match=way_out):
        ask(system(server), dialogues(1), [Target("test-00000", 0)])
    assert len(server.bodies) == 1


def test_a_server_that_only_fails_ends_the_run_with_a_clear_error(server: Server) -> None:
    server.failures.extend([500] * 1000)
    with pytest.raises(SystemFailedError, match="again and again"):
        ask(system(server, retries=0), dialogues(1), [Target("test-00000", 0)])
    assert len(server.bodies) == 5


def test_a_restarted_server_is_waited_for_and_nothing_is_asked_twice(server: Server) -> None:
    server.delay = 0.05
    llm = system(server, retries=0, concurrency=2, server_timeout=20)
    talks = dialogues(10)
    targets = [t for talk in talks for t in talk.targets()]
    predictions = llm.predict(talks, targets, progress=SilentProgress())
    answers = [next(predictions) for _ in range(5)]
    server.stop()
    reborn = threading.Timer(0.5, server.start, [server.port])
    reborn.start()
    answers += list(predictions)
    reborn.join()
    assert Counter(a.target for a in answers) == Counter(targets)
    prompts = Counter(prompt_of(b) for b in server.bodies)
    assert sum(count - 1 for count in prompts.values()) <= 2, "only what was under way is asked again"
    assert llm.report().measurements["asked_here"]["requests_moved_or_repeated"] >= 1


def test_a_server_that_stays_away_ends_the_run_when_patience_does(server: Server) -> None:
    llm = system(server, retries=0, concurrency=1, server_timeout=0.5)
    predictions = llm.predict(dialogues(5), [t for d in dialogues(5) for t in d.targets()], progress=SilentProgress())
    next(predictions)
    server.stop()
    with pytest.raises(SystemFailedError, match=r"must come back within server_timeout=0\.5"):
        list(predictions)
    server.start(server.port)


def test_endpoints_share_the_dialogues_and_each_dialogue_stays_with_one(server: Server, second: Server) -> None:
    server.delay = second.delay = 0.01
    ask(system(server, second, concurrency=4), dialogues(20))
    talks = [{re.findall(r"of talk (\d+)", prompt_of(b))[0] for b in s.bodies} for s in (server, second)]
    assert not talks[0] & talks[1]
    assert min(len(t) for t in talks) >= 6


def test_a_slow_endpoint_does_not_hold_up_the_others(server: Server, second: Server) -> None:
    server.gate = threading.Event()
    talks = dialogues(20)
    predictions = system(server, second, concurrency=4).predict(
        talks, [t for d in talks for t in d.targets()], progress=SilentProgress()
    )
    first = [next(predictions) for _ in range(54)]
    assert len(server.bodies) == 4
    server.gate.set()
    assert len([*first, *predictions]) == 60


def test_a_lost_endpoint_is_replaced_by_the_others(server: Server, second: Server) -> None:
    server.delay = second.delay = 0.02
    llm = system(server, second, retries=0, concurrency=2, server_timeout=0.2)
    talks = dialogues(15)
    predictions = llm.predict(talks, [t for d in talks for t in d.targets()], progress=SilentProgress())
    answers = [next(predictions) for _ in range(6)]
    server.stop()
    answers += list(predictions)
    assert len({a.target for a in answers}) == 45
    server.start(server.port)


def test_concurrency_is_bounded(server: Server) -> None:
    server.delay = 0.02
    ask(system(server, concurrency=3), dialogues(8))
    assert server.most_at_once == 3


def test_requests_of_a_dialogue_go_out_together(server: Server) -> None:
    ask(system(server, concurrency=1), dialogues(6))
    order = [re.findall(r"of talk (\d+)", prompt_of(b))[0] for b in server.bodies]
    assert order == sorted(order)


def test_the_report_gives_speed_cache_hits_and_the_servers_version(server: Server) -> None:
    llm = system(server, price_in=2.0, price_out=10.0)
    answers = ask(llm, dialogues(2))
    measured = llm.report().measurements
    assert measured["model"] == MODEL
    assert measured["asked_here"]["requests"] == 6
    assert measured["asked_here"]["requests_per_second"] > 0
    assert measured["prefix_cache_hit_rate"] == pytest.approx(0.6)
    assert measured["server_versions"] == ["9.9"]
    costs = [a.usage["cost"] for a in answers.values() if a.usage is not None]
    assert math.fsum(costs) == pytest.approx(6 * (100 * 2 + 3 * 10) / 1e6)


def test_stopping_early_leaves_no_task_behind(server: Server) -> None:
    server.delay = 0.05
    predictions = system(server).predict(
        dialogues(9), [t for d in dialogues(9) for t in d.targets()], progress=SilentProgress()
    )
    next(predictions)
    predictions.close()
    asked = len(server.bodies)
    time.sleep(0.2)
    assert len(server.bodies) == asked


@pytest.mark.parametrize(
    "settings",
    [{"mode": "generate"}, {"mode": "choose", "context": "past"}, {"mode": "rank"}, {"mode": "choose", "examples": 3}],
)
def test_the_contract_of_a_system_is_kept(server: Server, settings: dict[str, Any]) -> None:
    config = build_config(LLMConfig, {"model": MODEL, "endpoint": server.url} | settings, owner="llm")
    failed = [f"{r.name}: {r.reason}" for r in check_system(LLM, config) if r.outcome == "failed"]
    assert not failed


def test_no_targets_need_no_server() -> None:
    assert list(system(name="llama2-13b").predict([], [], progress=SilentProgress())) == []


def test_an_endpoint_that_does_not_answer_is_named_at_once() -> None:
    with pytest.raises(SystemFailedError, match=r"must answer at http://127.0.0.1:\d+/v1/models"):
        ask(system(endpoint=f"http://127.0.0.1:{free_port()}/v1"), dialogues(1))


def test_an_endpoint_with_another_model_is_refused_until_it_is_named(server: Server) -> None:
    with pytest.raises(ModelUnavailableError, match=f"must offer other/model, got: {MODEL}"):
        ask(system(server, model="other/model"), dialogues(1))
    ask(system(server, model="other/model", served_name=MODEL), dialogues(1))
    assert {b["model"] for b in server.bodies} == {MODEL}


def test_the_key_of_a_server_comes_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "sesame"
    with pytest.raises(SystemFailedError, match="must accept the key in OPENAI_API_KEY"):
        ask(system(server), dialogues(1))
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    assert len(ask(system(server), dialogues(1))) == 3


def test_a_model_must_be_given() -> None:
    with pytest.raises(ConfigError, match="needs a model"):
        ask(system(model=""), dialogues(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "samples must be at least 1"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
        ({"examples": -1}, "examples must not be negative"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"samples": 2, "temperature": 0.0}, "samples must be 1 where answers do not vary"),
        ({"samples": 2, "mode": "choose"}, "samples must be 1 where answers do not vary"),
        ({"mode": "rank", "parser": "released"}, "must go with mode=generate"),
        ({"endpoint": "localhost:8000"}, "an endpoint must be an address"),
        ({"mode": "guess"}, "must be generate|choose|rank"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        system(**settings)
