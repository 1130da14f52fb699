"""Language-model systems against a small model server: prompts, modes, answers, settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dialogue, LabelSet, Target, Utterance
from erc_bench.contract.registry import system_class
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.systems.llm.config import LLMConfig
from erc_bench.systems.llm.prompting import choose_examples
from erc_bench.systems.llm.system import LLM

if TYPE_CHECKING:
    from tests.systems.conftest import Lab, Server

MODEL = "tester/small"
NAMES = LABELS.names


def test_generate_sends_the_papers_decoding_and_parses_the_answer(lab: Lab, server: Server) -> None:
    talks = lab.dialogues(1)
    answers = lab.ask(lab.system(server, prompt="llama2"), talks)
    assert len(server.bodies) == 3
    by_prompt = {lab.prompt_of(body): body for body in server.bodies}
    for turn, utterance in enumerate(talks[0].utterances):
        prompt = next(p for p in by_prompt if f'utterance : "{utterance.text}" ,' in p)
        body = by_prompt[prompt]
        assert "- Line 0 of talk 0 .\n- Line 1 of talk 0 .\n- Line 2 of talk 0 ." in prompt
        assert (body["temperature"], body["top_k"], body["top_p"], body["n"]) == (1.0, 10, 1.0, 1)
        assert body["max_completion_tokens"] == 128
        answer = answers[Target("test-00000", turn)]
        assert answer.label == answer.raw == lab.label_for(prompt)
        assert answer.usage == {"requests": 1, "prompt_tokens": 100, "completion_tokens": 3, "cached_tokens": 64}


def test_greedy_decoding_needs_no_seed_and_no_top_k(lab: Lab, server: Server) -> None:
    lab.ask(lab.system(server, temperature=0), lab.dialogues(1))
    assert all(b["temperature"] == 0 and "seed" not in b and "top_k" not in b for b in server.bodies)


def test_unusable_answers_have_no_label_and_keep_their_text(lab: Lab, server: Server) -> None:
    server.answer = lambda body: "I am only a program."
    answers = lab.ask(lab.system(server), lab.dialogues(2))
    assert {a.label for a in answers.values()} == {None}
    assert {a.raw for a in answers.values()} == {"I am only a program."}


def test_the_released_parser_makes_happiness_of_them_and_counts_it(lab: Lab, server: Server) -> None:
    server.answer = lambda body: "The appropriate emotion is sadness."
    llm = lab.system(server, name="falcon-7b", parser="released")
    answers = lab.ask(llm, lab.dialogues(2))
    assert {a.label for a in answers.values()} == {"happiness"}
    assert all(a.usage is not None and a.usage["read_without_cue"] == 1 for a in answers.values())
    assert llm.report().notes


@pytest.mark.parametrize("chat", [True, False])
def test_the_released_parser_reads_an_answer_behind_a_prompt_that_ends_in_its_cue(
    lab: Lab, server: Server, chat: bool
) -> None:
    server.answer = lambda body: " sadness, or perhaps anger"
    llm = lab.system(server, name="llama2-7b", parser="released", prompt="llama2-cue", chat=chat)
    answers = lab.ask(llm, lab.dialogues(2))
    assert {a.label for a in answers.values()} == {"sadness"}
    assert all(a.usage is not None and a.usage["read_without_cue"] == 0 for a in answers.values())


def test_the_released_parser_needs_its_fallback_label(lab: Lab, server: Server) -> None:
    cls = system_class("llm")
    config = build_config(cls.Config, {"model": MODEL, "endpoint": server.url, "parser": "released"}, owner="llm")
    llm = cls(config, labels=LabelSet(("neutral", "joy"), "neutral"))
    with pytest.raises(ConfigError, match="needs a label happiness"):
        list(llm.predict(lab.dialogues(1), [Target("test-00000", 0)], progress=SilentProgress()))


def test_choose_constrains_the_server_to_the_labels(lab: Lab, server: Server) -> None:
    answers = lab.ask(lab.system(server, mode="choose"), lab.dialogues(2))
    assert all(b["structured_outputs"] == {"choice": list(NAMES)} and b["temperature"] == 0 for b in server.bodies)
    assert all(a.label in NAMES for a in answers.values())


def test_choose_refuses_a_server_that_ignores_the_constraint(lab: Lab, server: Server) -> None:
    server.answer = lambda body: "Well, anger."
    with pytest.raises(SystemFailedError, match=r"keeps answers to the labels, got 'Well, anger.'"):
        lab.ask(lab.system(server, mode="choose"), lab.dialogues(1))


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("rank_by", ["sum", "mean"])
def test_rank_scores_each_label_with_the_probability_of_all_its_tokens(
    lab: Lab, server: Server, chat: bool, rank_by: str
) -> None:
    talks = lab.dialogues(2)
    llm = lab.system(server, mode="rank", chat=chat, rank_by=rank_by)
    answers = lab.ask(llm, talks)
    assert len(server.bodies) == 6, "one request a target scores all labels"
    for talk in talks:
        for turn in range(3):
            prompter = llm._prompter()
            if chat:
                text = lab.rendered({"messages": prompter.messages(talk, turn), "add_generation_prompt": True})
            else:
                text = prompter.text(talk, turn) + " "
            expected = {}
            for name in NAMES:
                tokens, total = list(text.encode()), 0.0
                start = len(tokens) - (0 if chat else 1)
                tokens += name.encode()
                for position in range(start, len(tokens)):
                    total += lab.token_logprob(tokens[:position], tokens[position])
                expected[name] = total / (len(tokens) - start) if rank_by == "mean" else total
            answer = answers[Target(talk.id, turn)]
            assert answer.scores == pytest.approx(expected)
            assert answer.label == max(expected, key=lambda name: expected[name])


def test_rank_refuses_a_server_that_gives_no_log_probabilities(
    lab: Lab, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scored(index: int, *_: object) -> dict[str, object]:
        return {"index": index, "finish_reason": "length", "text": "x", "logprobs": None}

    monkeypatch.setattr(server, "scored", scored)
    with pytest.raises(SystemFailedError, match="logprob_token_ids"):
        lab.ask(lab.system(server, mode="rank"), lab.dialogues(1))


def test_raw_text_goes_to_the_completions_endpoint(lab: Lab, server: Server) -> None:
    answers = lab.ask(lab.system(server, chat=False, prompt="llama2"), lab.dialogues(1))
    assert all(b["prompt"].endswith("Predicted label :") and "messages" not in b for b in server.bodies)
    assert all(a.label in NAMES for a in answers.values())


def test_context_past_shows_nothing_that_comes_after_the_target(lab: Lab, server: Server) -> None:
    llm = lab.system(server, context="past")
    assert llm.context == "past"
    full = lab.ask(llm, lab.dialogues(3))
    seen = {lab.prompt_of(b) for b in server.bodies}
    assert sum("Line 1" in p for p in seen) == 6
    cut = [Dialogue(d.id, d.utterances[:2]) for d in lab.dialogues(3)]
    again = lab.ask(llm, cut, [Target(d.id, 1) for d in cut])
    assert {t: p.label for t, p in again.items()} == {t: full[t].label for t in again}


def test_a_prompt_about_the_last_utterance_shown_must_end_there(lab: Lab, server: Server) -> None:
    with pytest.raises(ConfigError, match="context must be past with the prompt falcon"):
        lab.ask(lab.system(server, name="falcon-7b", context="dialogue"), lab.dialogues(1))
    lab.ask(lab.system(server, name="falcon-7b"), lab.dialogues(1))
    assert sorted(p.count("\n- ") for p in map(lab.prompt_of, server.bodies)) == [1, 2, 3]


def test_a_prompt_that_does_not_name_every_label_is_refused(lab: Lab, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("{dialogue} Is '{target}' anger, disgust, fear, happiness or sadness?")
    with pytest.raises(ConfigError, match="must name every label, got none of: no emotion, surprise"):
        lab.ask(lab.system(server, prompt=str(path)), lab.dialogues(1))


def test_a_prompt_edited_within_a_run_is_refused(lab: Lab, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("{dialogue} {target} {labels}")
    run = tmp_path / "run"
    run.mkdir()
    lab.ask(lab.system(server, prompt=str(path), run_dir=run), lab.dialogues(1))
    path.write_text("Now: {dialogue} {target} {labels}")
    with pytest.raises(SystemFailedError, match="must not change within a run"):
        lab.ask(lab.system(server, prompt=str(path), run_dir=run), lab.dialogues(1))


def test_seeds_depend_on_the_target_and_the_run_only(lab: Lab, server: Server) -> None:
    def seeds(seed: int, targets: list[Target]) -> dict[str, int]:
        server.bodies.clear()
        lab.ask(lab.system(server, seed=seed), lab.dialogues(2), targets)
        return {lab.prompt_of(b): b["seed"] for b in server.bodies}

    every = [t for d in lab.dialogues(2) for t in d.targets()]
    first, again, other = seeds(1, every), seeds(1, every[3:]), seeds(2, every)
    assert len(set(first.values())) == 6
    assert again.items() <= first.items()
    assert not set(first.values()) & set(other.values())
    assert all(0 <= seed < 2**31 for seed in first.values())


def test_several_samples_vote_and_their_shares_are_the_scores(lab: Lab, server: Server) -> None:
    said = ["fear", "??", "anger", "anger", "fear", "anger"]
    server.answer = lambda body: said[body["i"]]
    answer = lab.ask(lab.system(server, samples=6), lab.dialogues(1), [Target("test-00000", 0)])[
        Target("test-00000", 0)
    ]
    assert answer.label == "anger"
    assert answer.scores is not None
    assert answer.scores["anger"] == pytest.approx(3 / 6)
    assert sum(answer.scores.values()) == pytest.approx(5 / 6)
    assert json.loads(answer.raw or "") == said


def labelled(count: int) -> list[Dialogue]:
    return [
        Dialogue(
            f"train-{i:05}",
            tuple(Utterance(f"Training {i} {t} .", "AB"[t % 2], NAMES[(i * t) % 7]) for t in range(4)),
        )
        for i in range(count)
    ]


def test_examples_are_seeded_balanced_and_stand_before_the_question(lab: Lab, server: Server, tmp_path: Path) -> None:
    train = labelled(20)
    llm = lab.system(server, examples=7)
    assert llm.trains
    assert not lab.system(server).trains
    llm.fit(train, [], seed=3, progress=SilentProgress())
    llm.save(tmp_path)
    loaded = lab.system(server, examples=7)
    loaded.load(tmp_path)
    lab.ask(loaded, lab.dialogues(1), [Target("test-00000", 1)])
    messages = server.bodies[0]["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"] * 7 + ["user"]
    assert sorted(m["content"] for m in messages[1:-1:2]) == sorted(NAMES)
    truth = {u.text: u.label for d in train for u in d.utterances}
    for question, answer in zip(messages[0:-1:2], messages[1:-1:2], strict=True):
        target = re.search(r'express: "([^"]+)"', question["content"])
        assert target is not None
        assert truth[target[1]] == answer["content"]
    assert choose_examples(train, LABELS, count=7, seed=3) != choose_examples(train, LABELS, count=7, seed=4)
    with pytest.raises(SystemFailedError, match="at most the training split's 80 utterances, got 81"):
        choose_examples(train, LABELS, count=81, seed=0)


def test_examples_in_raw_text_are_solved_prompts_and_answers_end_with_their_line(lab: Lab, server: Server) -> None:
    llm = lab.system(server, examples=2, chat=False, prompt="llama2")
    llm.fit(labelled(9), [], seed=0, progress=SilentProgress())
    lab.ask(llm, lab.dialogues(1), [Target("test-00000", 1)])
    prompt = server.bodies[0]["prompt"]
    assert len(re.findall(r"Predicted label : \w", prompt)) == 2
    assert prompt.endswith("Predicted label :")
    assert server.bodies[0]["stop"] == ["\n"]


@pytest.mark.parametrize(
    "settings",
    [{"mode": "generate"}, {"mode": "choose", "context": "past"}, {"mode": "rank"}, {"mode": "choose", "examples": 3}],
)
def test_the_contract_of_a_system_is_kept(server: Server, settings: dict[str, Any]) -> None:
    config = build_config(LLMConfig, {"model": MODEL, "endpoint": server.url} | settings, owner="llm")
    failed = [f"{r.name}: {r.reason}" for r in check_system(LLM, config) if r.outcome == "failed"]
    assert not failed


def test_no_targets_need_no_server(lab: Lab) -> None:
    assert list(lab.system(name="llama2-13b").predict([], [], progress=SilentProgress())) == []


def test_a_model_must_be_given(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="needs a model"):
        lab.ask(lab.system(model=""), lab.dialogues(1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 2, "temperature": 0.0}, "samples must be 1 where answers do not vary"),
        ({"samples": 2, "mode": "choose"}, "samples must be 1 where answers do not vary"),
        ({"mode": "rank", "parser": "released"}, "must go with mode=generate"),
        ({"endpoint": "localhost:8000"}, "an endpoint must be an address"),
        ({"mode": "guess"}, "must be generate|choose|rank"),
    ],
)
def test_impossible_settings_are_refused(lab: Lab, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        lab.system(**settings)


@pytest.mark.parametrize(("mode", "decision"), [("generate", "none"), ("choose", "none"), ("rank", "argmax")])
def test_only_rank_compares_scores(mode: str, decision: str) -> None:
    assert LLM.decision_of({"mode": mode}) == decision
