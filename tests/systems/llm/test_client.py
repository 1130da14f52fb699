"""Many requests to one model server or several: retries, restarts, balance, limits, what is reported."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from erc_bench.contract.domain import Target
from erc_bench.errors import ModelUnavailableError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.systems.llm import client as llm_client
from erc_bench.toolkit.serving import free_port

if TYPE_CHECKING:
    from tests.systems.conftest import Lab, Server

MODEL = "tester/small"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_client, "FIRST_PAUSE_SECONDS", 0.01)


def test_passing_failures_are_retried_and_cost_no_answer(lab: Lab, server: Server) -> None:
    server.failures.extend([500, 429, 503])
    answers = lab.ask(lab.system(server), lab.dialogues(2))
    assert len(answers) == 6
    assert len(server.bodies) == 9


def test_a_hanging_request_is_given_up_and_asked_again(lab: Lab, server: Server) -> None:
    server.hang_first = 1
    started = time.monotonic()
    lab.ask(lab.system(server, timeout=0.5), lab.dialogues(1))
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
        (400, "Unrecognized request argument: top_k", SystemFailedError, "--set top_k=0 --set send_seed=false"),
    ],
)
def test_refusals_are_not_retried_and_name_the_way_out(
    lab: Lab, server: Server, status: int, said: str, error: type[Exception], way_out: str
) -> None:
    server.failures.append(status)
    server.error_message = said
    with pytest.raises(error, match=way_out):
        lab.ask(lab.system(server), lab.dialogues(1), [Target("test-00000", 0)])
    assert len(server.bodies) == 1


def test_a_server_that_only_fails_ends_the_run_with_a_clear_error(lab: Lab, server: Server) -> None:
    server.failures.extend([500] * 1000)
    with pytest.raises(SystemFailedError, match="again and again"):
        lab.ask(lab.system(server, retries=0), lab.dialogues(1), [Target("test-00000", 0)])
    assert len(server.bodies) == 5


@pytest.mark.parametrize("status", [408, 409, 429, 503])
def test_an_overloaded_server_is_waited_for_with_patience(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(llm_client, "LONGEST_PAUSE_SECONDS", 0.02)
    server.failures.extend([status] * 12)
    lab.ask(lab.system(server, retries=0), lab.dialogues(1), [Target("test-00000", 0)])
    assert len(server.bodies) == 13


def test_a_server_that_stays_overloaded_ends_the_run_when_patience_does(lab: Lab, server: Server) -> None:
    server.failures.extend([429] * 1000)
    with pytest.raises(SystemFailedError, match=r"RateLimitError.* again and again"):
        lab.ask(lab.system(server, retries=0, server_timeout=0.3), lab.dialogues(1), [Target("test-00000", 0)])


def test_a_failing_server_is_left_alone_for_longer_each_time(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm_client, "FIRST_PAUSE_SECONDS", 0.1)
    server.failures.extend([500, 500, 500])
    started = time.monotonic()
    lab.ask(lab.system(server, retries=0), lab.dialogues(1), [Target("test-00000", 0)])
    assert time.monotonic() - started >= 0.1 + 0.2 + 0.4


def test_a_burst_of_failures_loses_no_target(lab: Lab, server: Server) -> None:
    server.failures.extend([503] * 64)
    assert len(lab.ask(lab.system(server, retries=0, concurrency=64), lab.dialogues(40))) == 120


def test_a_restarted_server_is_waited_for_and_nothing_is_asked_twice(lab: Lab, server: Server) -> None:
    server.delay = 0.05
    llm = lab.system(server, retries=0, concurrency=2, server_timeout=20)
    talks = lab.dialogues(10)
    targets = [t for talk in talks for t in talk.targets()]
    predictions = llm.predict(talks, targets, progress=SilentProgress())
    answers = [next(predictions) for _ in range(5)]
    server.stop()
    reborn = threading.Timer(0.5, server.start, [server.port])
    reborn.start()
    answers += list(predictions)
    reborn.join()
    assert Counter(a.target for a in answers) == Counter(targets)
    prompts = Counter(lab.prompt_of(b) for b in server.bodies)
    assert sum(count - 1 for count in prompts.values()) <= 2, "only what was under way is asked again"
    assert llm.report().measurements["asked_here"]["requests_moved_or_repeated"] >= 1


def test_a_server_that_stays_away_ends_the_run_when_patience_does(lab: Lab, server: Server) -> None:
    llm = lab.system(server, retries=0, concurrency=1, server_timeout=0.5)
    predictions = llm.predict(
        lab.dialogues(5), [t for d in lab.dialogues(5) for t in d.targets()], progress=SilentProgress()
    )
    next(predictions)
    server.stop()
    with pytest.raises(SystemFailedError, match=r"must come back within server_timeout=0\.5"):
        list(predictions)
    server.start(server.port)


def test_endpoints_share_the_dialogues_and_each_dialogue_stays_with_one(
    lab: Lab, server: Server, second: Server
) -> None:
    server.delay = second.delay = 0.01
    lab.ask(lab.system(server, second, concurrency=4), lab.dialogues(20))
    talks = [{re.findall(r"of talk (\d+)", lab.prompt_of(b))[0] for b in s.bodies} for s in (server, second)]
    assert not talks[0] & talks[1]
    assert min(len(t) for t in talks) >= 6


def test_a_slow_endpoint_does_not_hold_up_the_others(lab: Lab, server: Server, second: Server) -> None:
    server.gate = threading.Event()
    talks = lab.dialogues(20)
    predictions = lab.system(server, second, concurrency=4).predict(
        talks, [t for d in talks for t in d.targets()], progress=SilentProgress()
    )
    first = [next(predictions) for _ in range(54)]
    assert len(server.bodies) == 4
    server.gate.set()
    assert len([*first, *predictions]) == 60


def test_a_lost_endpoint_is_replaced_by_the_others(lab: Lab, server: Server, second: Server) -> None:
    server.delay = second.delay = 0.02
    llm = lab.system(server, second, retries=0, concurrency=2, server_timeout=0.2)
    talks = lab.dialogues(15)
    predictions = llm.predict(talks, [t for d in talks for t in d.targets()], progress=SilentProgress())
    answers = [next(predictions) for _ in range(6)]
    server.stop()
    answers += list(predictions)
    assert len({a.target for a in answers}) == 45
    server.start(server.port)


def test_an_endpoint_that_is_down_at_the_start_joins_when_it_comes(lab: Lab, server: Server, second: Server) -> None:
    second.stop()
    server.delay = 0.05
    reborn = threading.Timer(0.3, second.start, [second.port])
    reborn.start()
    lab.ask(lab.system(server, second, concurrency=1, server_timeout=20), lab.dialogues(20))
    reborn.join()
    assert server.bodies
    assert second.bodies


def test_only_when_no_endpoint_answers_the_run_is_refused(lab: Lab, server: Server) -> None:
    dead = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    lab.ask(lab.system(server, endpoint=f"{dead[0]},{server.url}"), lab.dialogues(1))
    with pytest.raises(SystemFailedError, match=f"must answer at {dead[0]}/v1/models, {dead[1]}/v1/models"):
        lab.ask(lab.system(endpoint=",".join(dead)), lab.dialogues(1))


def test_a_server_of_this_machine_is_asked_past_any_proxy(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    llm = lab.system(server, retries=0)
    lab.ask(llm, lab.dialogues(1))
    assert llm.report().measurements["server_versions"] == ["9.9"]


def test_cache_hits_of_several_engines_are_added_up(lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def page(url: str) -> str:
        asked = len(server.bodies)
        lines = {'queries_total{engine="0"}': 30, 'hits_total{engine="0"}': 30, 'queries_total{engine="1"}': 70}
        lines['hits_total{engine="1"}'] = 10
        return "".join(f"vllm:prefix_cache_{name} {n * asked:.1f}\n" for name, n in lines.items())

    monkeypatch.setattr("erc_bench.systems.llm.system.fetch_text", page)
    llm = lab.system(server)
    lab.ask(llm, lab.dialogues(1))
    assert llm.report().measurements["prefix_cache_hit_rate"] == pytest.approx(0.4)


def test_a_password_in_an_address_is_not_shown(lab: Lab) -> None:
    port = free_port()
    with pytest.raises(SystemFailedError, match=f"must answer at http://127.0.0.1:{port}/v1/models") as caught:
        lab.ask(lab.system(endpoint=f"http://me:secret@127.0.0.1:{port}"), lab.dialogues(1))
    assert "secret" not in str(caught.value)


def test_concurrency_is_bounded(lab: Lab, server: Server) -> None:
    server.delay = 0.02
    lab.ask(lab.system(server, concurrency=3), lab.dialogues(8))
    assert server.most_at_once == 3


def test_requests_of_a_dialogue_go_out_together(lab: Lab, server: Server) -> None:
    lab.ask(lab.system(server, concurrency=1), lab.dialogues(6))
    order = [re.findall(r"of talk (\d+)", lab.prompt_of(b))[0] for b in server.bodies]
    assert order == sorted(order)


def test_the_report_gives_speed_cache_hits_and_the_servers_version(lab: Lab, server: Server) -> None:
    llm = lab.system(server, price_in=2.0, price_out=10.0)
    lab.ask(llm, lab.dialogues(2))
    measured = llm.report().measurements
    assert measured["model"] == MODEL
    assert measured["asked_here"]["requests"] == 6
    assert measured["asked_here"]["requests_per_second"] > 0
    assert measured["prefix_cache_hit_rate"] == pytest.approx(0.6)
    assert measured["server_versions"] == ["9.9"]
    assert llm.report().prices == pytest.approx({"prompt_tokens": 2e-6, "completion_tokens": 1e-5})


def test_stopping_early_leaves_no_task_behind(lab: Lab, server: Server) -> None:
    server.delay = 0.05
    targets = [target for dialogue in lab.dialogues(9) for target in dialogue.targets()]
    # Two at a time: with as many as there are targets, all might be asked before the first answer comes.
    llm = lab.system(server, concurrency=2)
    predictions = llm.predict(lab.dialogues(9), targets, progress=SilentProgress())
    next(predictions)
    predictions.close()
    asked = -1
    while asked != len(
        server.bodies
    ):  # what was sent before may come late; a task left behind would ask for everything
        asked = len(server.bodies)
        time.sleep(0.5)
    assert asked < len(targets)


def test_an_endpoint_that_does_not_answer_is_named_at_once(lab: Lab) -> None:
    with pytest.raises(SystemFailedError, match=r"must answer at http://127.0.0.1:\d+/v1/models"):
        lab.ask(lab.system(endpoint=f"http://127.0.0.1:{free_port()}/v1"), lab.dialogues(1))


def test_an_endpoint_with_another_model_is_refused_until_it_is_named(lab: Lab, server: Server) -> None:
    with pytest.raises(ModelUnavailableError, match=f"must offer other/model, got: {MODEL}"):
        lab.ask(lab.system(server, model="other/model"), lab.dialogues(1))
    lab.ask(lab.system(server, model="other/model", served_name=MODEL), lab.dialogues(1))
    assert {b["model"] for b in server.bodies} == {MODEL}


def test_the_key_of_a_server_comes_from_the_environment(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "sesame"
    with pytest.raises(SystemFailedError, match="must accept the key in OPENAI_API_KEY"):
        lab.ask(lab.system(server), lab.dialogues(1))
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    assert len(lab.ask(lab.system(server), lab.dialogues(1))) == 3
