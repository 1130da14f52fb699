"""Language models through a real vLLM server with a real chat model: `make test-llm` sets it up and runs this."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from erc_bench.board.build import measured_board
from erc_bench.contract.config import build_config
from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import Runtime
from erc_bench.data import load_dataset
from erc_bench.progress import SilentProgress
from erc_bench.protocols.headline import headline_scores
from erc_bench.records.groups import group_runs
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import Run, find_runs, read_record
from erc_bench.running.runner import RunRequest, execute

pytestmark = [pytest.mark.llm, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
DIALOGUES = 20
PREPARE = "needs a vLLM environment and a model: make test-llm sets them up"


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Where the server's command and the model lie, as `make test-llm` leaves them or as the caller says."""
    python = ROOT / ".venv-vllm" / "bin" / "python"
    command = os.environ.get("ERC_BENCH_VLLM") or f"{shlex.quote(str(python))} -m vllm.entrypoints.openai.api_server"
    models = Path(os.environ.get("ERC_BENCH_MODELS") or ROOT / "models")
    if not Path(shlex.split(command)[0]).is_file() or not (models / "smollm2-135m-instruct" / "config.json").is_file():
        pytest.skip(PREPARE)
    return {"ERC_BENCH_VLLM": command, "ERC_BENCH_MODELS": str(models), "OMP_NUM_THREADS": "1"}


def part() -> Dataset:
    """Twenty dialogues of the real test split, or of the sample where the real data is not at hand."""
    whole = load_dataset("dailydialog" if os.environ.get("ERC_BENCH_DATA_DIR") else "sample")
    return replace(whole, name="part", train=whole.train[:100], validation=(), test=whole.test[:DIALOGUES])


@dataclass
class Running:
    """A run in a process of its own, which can be killed."""

    process: subprocess.Popen[bytes]
    results: Path

    @property
    def folder(self) -> Path:
        return next(self.results.glob("part/smollm2-135m/*/seed-0"))

    def wait_for_predictions(self, count: int) -> None:
        deadline = time.monotonic() + 900
        while time.monotonic() < deadline:
            files = list(self.results.glob("part/smollm2-135m/*/seed-0/predictions.jsonl"))
            if files and files[0].read_bytes().count(b"\n") >= count:
                return
            assert self.process.poll() is None, "the run ended too early"
            time.sleep(0.1)
        raise AssertionError("no predictions within 15 minutes")

    def server_processes(self) -> list[psutil.Process]:
        """The API server first, then what it started, and last the watchdog that the harness started it through."""
        watchdogs, servers = [], []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                command = " ".join(process.cmdline())
            except psutil.Error:  # ended since it was listed
                continue
            if "erc_bench.toolkit.watchdog" in command:
                watchdogs.append(process)
            elif "vllm.entrypoints" in command:
                servers.append(process)
        assert servers
        return [servers[0], *servers[0].children(recursive=True), *watchdogs]


RUN = """
import json, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from test_llm_e2e import run_here
run_here(Path(sys.argv[2]), json.loads(sys.argv[3]))
"""


def run_here(results: Path, settings: dict[str, Any], *, seed: int = 0, targets: str = "all") -> Run:
    """One run of smollm2-135m on the part."""
    cls = system_class("smollm2-135m")
    config = build_config(cls.Config, settings, owner="smollm2-135m")
    request = RunRequest(cls, config, part(), results, seed, "last" if targets == "last" else "all", Runtime())
    return execute(request, SilentProgress()).run


def start(results: Path, environment: dict[str, str], **settings: Any) -> Running:
    log = (results.parent / "harness.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, __file__, str(results), json.dumps(settings)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=log,
        stderr=log,
    )
    log.close()
    return Running(process, results)


def gone(processes: list[psutil.Process], within: float = 40) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=within)
    return all(p.status() == psutil.STATUS_ZOMBIE for p in alive if p.is_running())


def test_a_killed_harness_and_a_killed_server_cost_nothing_but_time(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    results = tmp_path / "results"
    concurrency = 2
    first = start(results, environment, concurrency=concurrency)
    first.wait_for_predictions(8)
    servers = first.server_processes()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    assert gone(servers), "a killed harness leaves no server behind"
    kept = (first.folder / "predictions.jsonl").read_bytes()
    assert read_record(first.folder).status == "running"

    second = start(results, environment, concurrency=concurrency)
    second.wait_for_predictions(kept.count(b"\n") + 8)
    servers = second.server_processes()
    servers[0].kill()
    answered = (second.folder / "predictions.jsonl").read_bytes().count(b"\n")
    second.wait_for_predictions(answered + 2 * concurrency + 1)  # more than was under way: another server answers
    servers += second.server_processes()
    assert second.process.wait(1800) == 0, (tmp_path / "harness.log").read_text()[-3000:]

    dataset = part()
    predictions = read_predictions(second.folder)
    targets = [target for dialogue in dataset.test for target in dialogue.targets()]
    assert set(predictions) == set(targets)
    record = read_record(second.folder)
    assert record.status == "complete"
    whole_lines = kept[: kept.rfind(b"\n") + 1].splitlines()
    assert len(whole_lines) >= 8
    asked = record.measurements["asked_here"]
    open_targets = len(targets) - len(whole_lines)
    most = open_targets + asked["requests_moved_or_repeated"] + concurrency
    assert open_targets <= asked["requests"] <= most, "what was answered before the kill is not asked again"
    assert record.measurements["server"]["restarts"] == 1
    assert record.usage["prompt_tokens"] > 50 * len(targets)
    assert record.scores == headline_scores(dataset, "all", [predictions[target] for target in targets])
    section = measured_board(dataset, group_runs(find_runs(results))).section("utterance")
    assert section is not None
    assert [row.system for row in section.rows] == ["smollm2-135m"]
    assert set(whole_lines) <= set((second.folder / "predictions.jsonl").read_bytes().splitlines())
    log = (second.folder / "server.log").read_text(errors="replace")
    assert log.count("\n$ ") + log.startswith("$ ") == 3
    assert len({p.pid for p in servers}) >= 4, "two servers, each with its watchdog"
    assert gone(servers), "neither of the servers outlives the run"


@pytest.fixture(scope="module")
def endpoint(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server started by the harness's own code and kept for the tests below."""
    import asyncio

    from erc_bench.systems.llm.server import hardware, make_server
    from erc_bench.systems.llm.system import SmolLM2

    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    runtime = Runtime(run_dir=tmp_path_factory.mktemp("server"))
    server = make_server(SmolLM2.Config(), runtime, hardware(runtime))
    try:
        server.start()
        assert asyncio.run(server.wait_until_ready(timeout=1800, progress=SilentProgress())) == [MODEL]
        yield server.url
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


MODES: list[dict[str, Any]] = [
    {"mode": "generate"},
    {"mode": "generate", "temperature": 0},
    {"mode": "generate", "chat": False, "context": "past"},
    {"mode": "generate", "prompt": "falcon", "context": "past", "parser": "released"},
    {"mode": "generate", "samples": 3},
    {"mode": "choose"},
    {"mode": "choose", "chat": False, "prompt": "labels"},
    {"mode": "choose", "examples": 4},
    {"mode": "rank"},
    {"mode": "rank", "chat": False, "rank_by": "mean"},
]


def test_all_modes_run_are_scored_and_stand_on_the_board(endpoint: str, tmp_path: Path) -> None:
    dataset, results = part(), tmp_path / "results"
    for settings in MODES:
        run = run_here(results, {**settings, "endpoint": endpoint}, targets="last")
        record, predictions = run.record, read_predictions(run.folder)
        assert len(predictions) == DIALOGUES
        assert record.scores == headline_scores(
            dataset, "last", [predictions[d.targets("last")[0]] for d in dataset.test]
        )
        asked = record.measurements["asked_here"]
        assert asked["requests"] == DIALOGUES + asked["requests_moved_or_repeated"], "one request a target, samples too"
        assert record.usage["prompt_tokens"] > 0
        if settings["mode"] != "generate":
            assert all(p.label is not None for p in predictions.values()), "these modes always give a label"
        if settings["mode"] == "rank":
            assert all(p.scores is not None and len(p.scores) == 7 for p in predictions.values())
            assert all(value < 0 for p in predictions.values() for value in (p.scores or {}).values())
    section = measured_board(dataset, group_runs(find_runs(results))).section("last-turn")
    assert section is not None
    assert len(section.rows) == len(MODES)
    assert {row.system for row in section.rows} == {"smollm2-135m"}


def test_all_utterances_hit_the_prefix_cache_of_their_dialogue(endpoint: str, tmp_path: Path) -> None:
    run = run_here(tmp_path / "results", {"mode": "choose", "endpoint": endpoint, "prompt": "labels"})
    measured = run.record.measurements
    assert measured["prefix_cache_hit_rate"] > 0.4
    assert run.record.usage["cached_tokens"] > 0.4 * run.record.usage["prompt_tokens"]
    assert measured["server_versions"]


def test_greedy_and_seeded_answers_repeat_and_other_seeds_differ(endpoint: str, tmp_path: Path) -> None:
    def answers(name: str, seed: int, **settings: Any) -> dict[Any, str | None]:
        run = run_here(tmp_path / name, {"endpoint": endpoint, **settings}, seed=seed, targets="last")
        return {target: p.raw for target, p in read_predictions(run.folder).items()}

    def differing(first: dict[Any, str | None], second: dict[Any, str | None]) -> int:
        return sum(first[target] != second[target] for target in first)

    # Batches of another shape round otherwise, which may turn a few answers of so small a model.
    assert differing(answers("a", 0, temperature=0), answers("b", 0, temperature=0)) <= DIALOGUES // 4
    one, again, other = answers("c", 1), answers("d", 1), answers("e", 2)
    assert differing(one, again) <= DIALOGUES // 4
    assert differing(one, other) > DIALOGUES // 2


def test_ranking_agrees_with_transformers(endpoint: str, environment: dict[str, str]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from erc_bench.systems.llm.system import SmolLM2

    dataset = part()
    config = build_config(SmolLM2.Config, {"mode": "rank", "endpoint": endpoint}, owner="smollm2-135m")
    llm = SmolLM2(config, labels=dataset.labels)
    dialogues = [dialogue.without_labels() for dialogue in dataset.test[:4]]
    targets = [dialogue.targets("last")[0] for dialogue in dialogues]
    ranked = {p.dialogue: p.scores for p in llm.predict(dialogues, targets, progress=SilentProgress())}

    folder = Path(environment["ERC_BENCH_MODELS"]) / "smollm2-135m-instruct"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for dialogue in dialogues:
        messages = llm._prompter().messages(dialogue, len(dialogue) - 1)
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        prompt = tokenizer(text, add_special_tokens=False).input_ids
        for name, score in (ranked[dialogue.id] or {}).items():
            label = tokenizer(name, add_special_tokens=False).input_ids
            with torch.no_grad():
                logits = model(torch.tensor([prompt + label])).logits[0].log_softmax(-1)
            expected = sum(float(logits[len(prompt) - 1 + i, token]) for i, token in enumerate(label))
            # The server computes in bfloat16, which moves these by up to 0.4; a wrong token would move them by more.
            assert score == pytest.approx(expected, abs=0.6), f"{dialogue.id} {name}"


def test_the_command_line_runs_a_model_and_puts_it_on_the_board(endpoint: str, tmp_path: Path) -> None:
    program = [sys.executable, "-c", "from erc_bench.cli import main; main()"]

    def cli(*arguments: str) -> str:
        done = subprocess.run([*program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run = ["run", "--dataset", "sample", "--targets", "last", "--set", "mode=choose", "--set", f"endpoint={endpoint}"]
    assert "complete" in cli(*run, "--system", "smollm2-135m")
    cli("run", "--dataset", "sample", "--targets", "last", "--system", "prior")
    board = json.loads(cli("leaderboard", "--dataset", "sample", "--protocol", "last-turn", "--json"))
    titles = [row["system"] for row in board["rows"] if row["evidence"] == "measured"]
    assert any(re.match(r"smollm2-135m .*choose", title) for title in titles)
    assert "already complete" in cli(*run, "--system", "smollm2-135m")


def test_no_prompt_is_dropped_when_samples_are_asked_together(endpoint: str, tmp_path: Path) -> None:
    run = run_here(tmp_path / "results", {"samples": 4, "endpoint": endpoint}, targets="last")
    for prediction in read_predictions(run.folder).values():
        texts = json.loads(prediction.raw or "")
        assert len(texts) == 4
        assert prediction.scores is not None
        assert set(Counter(prediction.scores.values())) <= {0.0, 0.25, 0.5, 0.75, 1.0}
