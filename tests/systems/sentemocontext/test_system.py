from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction, Runtime
from erc_bench.errors import ConfigError, SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.system import SentEmoContext

SILENT = SilentProgress()
SMALL: dict[str, Any] = {"epochs": 2, "pretrain_epochs": 1, "feed_forward": 32, "heads": 4}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def build(sample: Dataset, cache: Path, **settings: Any) -> SentEmoContext:
    config = SentEmoContextConfig(**(SMALL | settings))
    return SentEmoContext(config, labels=sample.labels, runtime=Runtime(device="cpu", cache_dir=cache))


@pytest.fixture(scope="module")
def system(sample: Dataset, cache: Path) -> SentEmoContext:
    made = build(sample, cache)
    made.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    return made


def test_a_run_takes_as_many_cores_as_training_has_threads(sample: Dataset, cache: Path) -> None:
    assert [build(sample, cache, **given).resources.cpus for given in ({}, {"threads": 2})] == [1, 2]


def answers(system: SentEmoContext, asked: list[Dialogue], targets: list[Target]) -> dict[Target, Prediction]:
    return {p.target: p for p in system.predict([d.without_labels() for d in asked], targets, progress=SILENT)}


def all_targets(asked: list[Dialogue]) -> list[Target]:
    return [target for dialogue in asked for target in dialogue.targets()]


def test_what_is_saved_answers_the_same_when_loaded(
    system: SentEmoContext, sample: Dataset, cache: Path, tmp_path: Path
) -> None:
    system.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    loaded = build(sample, cache)
    loaded.load(tmp_path)
    asked = list(sample.test)
    assert answers(loaded, asked, all_targets(asked)) == answers(system, asked, all_targets(asked))
    assert loaded.report() == system.report()
    assert loaded.parameters == system.parameters


def test_an_answer_does_not_depend_on_the_other_targets(system: SentEmoContext, sample: Dataset) -> None:
    asked = list(sample.test)
    everything = answers(system, asked, all_targets(asked))
    some = all_targets(asked)[5::7]
    wanted = {target.dialogue for target in some}
    part = answers(system, [d for d in asked if d.id in wanted], some)
    assert part == {target: everything[target] for target in some}


def test_embeddings_are_contextual_and_of_length_one(system: SentEmoContext, sample: Dataset) -> None:
    dialogue = sample.test[0].without_labels()
    other = replace(dialogue, utterances=(*dialogue.utterances[:-1], sample.test[1].utterances[0]))
    first, second = system.embed([dialogue, other], progress=SILENT)
    assert first.dtype == np.float32
    assert first.shape == (len(dialogue), 384)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, rtol=1e-5)
    assert not np.allclose(first[0], second[0], atol=1e-6), "the last utterance is context of the first"


def test_context_follows_the_setting(sample: Dataset, cache: Path) -> None:
    assert build(sample, cache).context == "dialogue"
    assert build(sample, cache, context="past").context == "past"
    assert build(sample, cache, context="utterance").context == "utterance"


def test_the_last_epoch_is_kept_where_that_is_asked_for(
    sample: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for keep in ("best", "last"):
        made, scores = build(sample, cache, keep=keep), iter([(0.25, 0.5), (0.75, 0.4)])
        monkeypatch.setattr(made, "_calibrate", lambda held_out, scores=scores: next(scores))
        made.fit(sample.train[:4], sample.validation[:2], seed=1, progress=SILENT)
        found[keep] = made.report().measurements
    assert [found["best"][name] for name in ("best_epoch", "neutral_offset")] == [1, 0.25]
    assert [found["last"][name] for name in ("best_epoch", "neutral_offset")] == [2, 0.75]


def test_a_twin_without_context_has_as_many_parameters(system: SentEmoContext, sample: Dataset, cache: Path) -> None:
    twin = build(sample, cache, context="utterance")
    twin.fit(sample.train[:4], [], seed=0, progress=SILENT)
    assert twin.parameters == system.parameters


def test_heads_must_divide_the_encoder_s_dimension(sample: Dataset, cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"heads of sentemocontext must divide the encoder's 384 components, got 5"):
        build(sample, cache, heads=5).fit(sample.train[:4], [], seed=0, progress=SILENT)


def test_training_without_validation_keeps_the_last_epoch(sample: Dataset, cache: Path) -> None:
    made = build(sample, cache, epochs=2)
    made.fit(sample.train[:10], [], seed=0, progress=SILENT)
    assert made.report().measurements["best_epoch"] == 2
    assert made.report().measurements["neutral_offset"] == 0


def test_a_folder_without_a_model_is_refused(sample: Dataset, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError, match="must hold a trained model"):
        build(sample, cache).load(tmp_path)


def test_training_gives_the_same_bits_in_a_fresh_process(sample: Dataset, cache: Path, tmp_path: Path) -> None:
    script = f"""
import hashlib, pathlib, torch
torch.set_num_threads(1)
from erc_bench.data import load_dataset
from erc_bench.progress import SilentProgress
from erc_bench.contract.system import Runtime
from erc_bench.systems.sentemocontext.config import SentEmoContextConfig
from erc_bench.systems.sentemocontext.system import SentEmoContext
sample = load_dataset("sample")
system = SentEmoContext(
    SentEmoContextConfig(**{SMALL!r}), labels=sample.labels,
    runtime=Runtime(device="cpu", cache_dir=pathlib.Path({str(cache)!r})),
)
system.fit(sample.train, sample.validation, seed=3, progress=SilentProgress())
folder = pathlib.Path({str(tmp_path)!r})
system.save(folder)
print(hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest())
"""
    runs = {
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"context": "dialogue"},
        {"context": "past"},
        {"context": "utterance", "speakers": False, "positions": False, "triplets": "all", "weights_from": "batch"},
    ],
    ids=str,
)
def test_the_contract_is_kept(settings: dict[str, Any]) -> None:
    results = check_system(SentEmoContext, SentEmoContextConfig(**(SMALL | settings)), device="cpu")
    proven = {r.outcome for r in results if r.name.startswith("The context it claims")}
    assert proven == {"passed" if settings.get("context") in ("past", "utterance") else "not applicable"}
    assert [r for r in results if r.outcome == "failed"] == []
