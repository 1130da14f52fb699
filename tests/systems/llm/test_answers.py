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
