"""Settings of the language-model systems: ranges, what they are known by, what a record keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from erc_bench.contract.config import build_config, config_hash, recorded
from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.errors import UnknownNameError
from erc_bench.progress import SilentProgress
from erc_bench.records.predictions import read_predictions
from erc_bench.running.runner import RunOutcome, RunRequest, execute

NAN, INFINITE = float("nan"), float("inf")


def config(name: str = "smollm2-135m", **settings: Any) -> Any:
    return build_config(system_class(name).Config, settings, owner=name)


def test_prices_may_be_nothing_and_one_alone_is_enough() -> None:
    assert config().prices == {}
    assert config(price_in=0).prices == {"prompt_tokens": 0, "completion_tokens": 0}
    assert config(price_out=1.5).prices == {"prompt_tokens": 0, "completion_tokens": 1.5e-6}


@pytest.mark.parametrize(
    ("mode", "digits"), [("generate", "0cbdcb9061ba"), ("choose", "238324d23c95"), ("rank", "3f4c11348693")]
)
def test_runs_with_packaged_prompts_keep_their_names(mode: str, digits: str) -> None:
    private = {"endpoint": "http://user:pw@host", "server_args": "--api-key x", "server_command": "/home/me/vllm serve"}
    assert config_hash(config(mode=mode), targets="last") == digits
    assert config_hash(config(mode=mode, **private), targets="last") == digits


def test_addresses_and_commands_of_servers_are_not_recorded() -> None:
    private = {"endpoint": "http://user:pw@host", "server_args": "--api-key x", "server_command": "/home/me/vllm serve"}
    kept = recorded(config(**private))
    assert not private.keys() & kept.keys()
    assert {"model", "prompt", "mode", "concurrency", "served_name"} <= kept.keys()


def test_a_prompt_that_does_not_exist_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="a prompt must be one of"):
        config_hash(config(prompt=str(tmp_path / "gone.txt")), targets="all")


def test_an_edited_prompt_is_another_run(sample: Dataset, tmp_path: Path, server: Any) -> None:
    prompt = tmp_path / "mine.txt"

    def run(text: str) -> RunOutcome:
        prompt.write_text(text)
        settings = config("llm", model=server.model, endpoint=server.url, prompt=str(prompt))
        return execute(
            RunRequest(system_class("llm"), settings, sample, tmp_path / "results", targets="last"), SilentProgress()
        )

    first = run("Choose one of {labels} for {target} in: {dialogue}")
    assert run("Choose one of {labels} for {target} in: {dialogue}").already_complete
    second = run("Which of {labels} does {target} show in: {dialogue}")
    assert not second.already_complete
    assert second.run.folder != first.run.folder
    assert read_predictions(second.run.folder).keys() == read_predictions(first.run.folder).keys()
    record = (first.run.folder / "run.json").read_text()
    assert str(tmp_path) not in record
    assert server.url not in record
    assert first.run.record.settings == {"model": server.model, "prompt": "mine.txt"}
    assert "--set prompt=mine.txt" in first.run.record.command


def test_a_model_in_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    for place in ("here", "there"):
        (tmp_path / place / "model").mkdir(parents=True)
        (tmp_path / place / "model" / "model.safetensors").write_bytes(b"weights")
    settings = config("llm", model=str(tmp_path / "here" / "model"))
    before = config_hash(settings, targets="all")
    assert config_hash(config("llm", model=str(tmp_path / "there" / "model")), targets="all") == before
    assert recorded(settings)["model"] == "model"
    (tmp_path / "here" / "model" / "model.safetensors").write_bytes(b"others")
    assert config_hash(settings, targets="all") != before
