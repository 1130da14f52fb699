"""Servers that answer with something else than the protocol requires: a clear error, and nothing counted that was not said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from erc_bench.errors import SystemFailedError

if TYPE_CHECKING:
    from tests.systems.conftest import Lab, Server


@pytest.mark.parametrize("chat", [True, False])
def test_a_web_page_instead_of_an_answer_is_a_clear_error(lab: Lab, server: Server, chat: bool) -> None:
    server.page = "<html>Please log in</html>"
    with pytest.raises(SystemFailedError, match=r"JSON that holds choices, got '<html>Please log in</html>'"):
        lab.ask(lab.system(server, chat=chat), lab.dialogues(1))


@pytest.mark.parametrize("mode", ["generate", "choose", "rank"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda answer: answer | {"choices": None},
        lambda answer: {k: v for k, v in answer.items() if k != "choices"},
        lambda answer: [1, 2],
        lambda answer: None,
        lambda answer: b'{"choices": [',
    ],
)
def test_an_answer_without_choices_is_a_clear_error(
    lab: Lab, server: Server, mode: str, edit: Callable[[Any], Any]
) -> None:
    server.edit = edit
    with pytest.raises(SystemFailedError, match=r"JSON that holds choices, got something else.* OpenAI-compatible"):
        lab.ask(lab.system(server, mode=mode), lab.dialogues(1))


@pytest.mark.parametrize(
    ("settings", "kept", "message"),
    [
        ({"samples": 3}, 1, "must give 3 choices to a request, got 1"),
        ({"mode": "choose"}, 0, "must give 1 choices to a request, got 0"),
        ({"mode": "rank"}, 1, "choices to a request, got 1"),
    ],
)
def test_a_server_that_gives_another_number_of_choices_is_refused(
    lab: Lab, server: Server, settings: dict[str, Any], kept: int, message: str
) -> None:
    server.edit = lambda answer: answer | {"choices": answer["choices"][:kept]}
    with pytest.raises(SystemFailedError, match=message):
        lab.ask(lab.system(server, **settings), lab.dialogues(1))


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (None, {"requests": 1}),
        ({}, {"requests": 1}),
        ("many", {"requests": 1}),
        ({"prompt_tokens": "5", "completion_tokens": 1.5, "prompt_tokens_details": [3]}, {"requests": 1}),
        ({"prompt_tokens": 10**400, "completion_tokens": -1, "prompt_tokens_details": 7}, {"requests": 1}),
        ({"prompt_tokens": True, "completion_tokens": 2}, {"requests": 1, "completion_tokens": 2}),
        ({"prompt_tokens": 5, "completion_tokens": None}, {"requests": 1, "prompt_tokens": 5}),
    ],
)
def test_only_the_tokens_that_a_server_counts_are_counted(
    lab: Lab, server: Server, usage: Any, counted: dict[str, int]
) -> None:
    server.edit = lambda answer: answer | {"usage": usage}
    answers = lab.ask(lab.system(server), lab.dialogues(1))
    assert all(answer.usage == counted for answer in answers.values())


def test_rank_names_the_other_modes_where_a_server_does_not_tokenize(lab: Lab, server: Server) -> None:
    server.refused["/tokenize"] = 404
    with pytest.raises(SystemFailedError, match=r"/tokenize, as vLLM does, got NotFoundError.*mode=choose"):
        lab.ask(lab.system(server, mode="rank"), lab.dialogues(1))
    assert server.bodies == []


@pytest.mark.parametrize("status", [404, 500])
def test_an_endpoint_that_offers_no_models_is_refused_with_its_status(lab: Lab, server: Server, status: int) -> None:
    server.refused["/v1/models"] = status
    with pytest.raises(SystemFailedError, match=f"/v1/models, got status {status}"):
        lab.ask(lab.system(server), lab.dialogues(1))


def changed(answer: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The answer with other fields in its first choice."""
    first, *rest = answer["choices"]
    return answer | {"choices": [first | fields, *rest]}


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda answer: answer | {"choices": [7]}, "object has no attribute 'message'"),
        (lambda answer: answer | {"choices": [None]}, "object has no attribute 'message'"),
        (lambda answer: changed(answer, message="yes"), "object has no attribute 'content'"),
        (lambda answer: changed(answer, message={"content": 3}), "the text of a choice must be a text, got 3"),
        (lambda answer: changed(answer, message={"content": ["a"]}), r"must be a text, got \['a'\]"),
        (lambda answer: b'{"choices": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "values nested too deeply"),
    ],
)
def test_a_choice_that_is_none_is_a_clear_error(lab: Lab, server: Server, edit: Callable[[Any], Any], why: str) -> None:
    server.edit = edit
    with pytest.raises(SystemFailedError, match=rf"must answer requests with JSON that holds choices, got .*{why}"):
        lab.ask(lab.system(server), lab.dialogues(1))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"index": 99}, "list index out of range"),
        ({"index": "first"}, "list indices must be integers"),
        ({"logprobs": {"top_logprobs": [{"token_id:1": "low"}]}}, "must be a finite number, got 'low'"),
        ({"logprobs": {"top_logprobs": [{"token_id:1": 10**400}]}}, "too large to convert"),
        ({"logprobs": {"top_logprobs": [[1, 2]]}}, "no attribute 'items'"),
        ({"logprobs": 3}, "no attribute 'top_logprobs'"),
    ],
)
def test_log_probabilities_that_are_none_are_a_clear_error(
    lab: Lab, server: Server, fields: dict[str, Any], why: str
) -> None:
    server.edit = lambda answer: changed(answer, **fields)
    with pytest.raises(SystemFailedError, match=why):
        lab.ask(lab.system(server, mode="rank"), lab.dialogues(1))


@pytest.mark.parametrize("tokens", ["abc", {"a": 1}, [1, "2"], [1.5], [True], [10**400], [-1], None, 7])
def test_tokens_that_are_none_are_a_clear_error(lab: Lab, server: Server, tokens: Any) -> None:
    server.tokens = tokens
    with pytest.raises(SystemFailedError, match="mode=rank needs a server that splits prompts into tokens"):
        lab.ask(lab.system(server, mode="rank"), lab.dialogues(1))


def test_a_server_cannot_write_on_the_terminal_or_tell_the_key(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marked-0123")
    server.failures.append(400)
    server.error_message = "\x1b[2Jno\rfor sk-marked-0123"
    with pytest.raises(SystemFailedError) as caught:
        lab.ask(lab.system(server), lab.dialogues(1))
    assert r"\u001b[2Jno for ***" in str(caught.value)
    assert "sk-marked-0123" not in str(caught.value)
    server.answer = lambda body: "anger, sk-marked-0123"
    answers = lab.ask(lab.system(server), lab.dialogues(1))
    assert {answer.raw for answer in answers.values()} == {"anger, ***"}


@pytest.mark.parametrize(
    "page",
    [
        b"vllm:prefix_cache_queries_total 5\n",
        b"vllm:prefix_cache_hits_total 5\n",
        b"vllm:prefix_cache_queries_total 1.2.3\nvllm:prefix_cache_hits_total +\n",
        b"vllm:prefix_cache_queries_total e\nvllm:prefix_cache_hits_total nan\n",
        b"vllm:prefix_cache_queries_total 1e99\nvllm:prefix_cache_hits_total 1e999999\n",
        b"vllm:prefix_cache_queries_total 5\nvllm:prefix_cache_hits_total 9\n",
        b"\xff\xfe" * 1000,
    ],
)
def test_a_page_of_metrics_costs_no_run(lab: Lab, server: Server, page: bytes) -> None:
    server.metrics = page
    server.version = b'{"version": "1\\u001b[2J"}'
    llm = lab.system(server)
    assert len(lab.ask(llm, lab.dialogues(1))) == 3
    assert not {"prefix_cache_hit_rate", "server_versions"} & llm.report().measurements.keys()
