from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.system import Prediction, Runtime
from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.systems.minilm_classifier import ENCODER_FOLDER, MinilmClassifier, MinilmClassifierConfig, _Trainer

SILENT = SilentProgress()
SMALL: dict[str, Any] = {"epochs": 2, "hidden": 32}
TUNED: dict[str, Any] = SMALL | {"fine_tune": True, "steps": 3, "fine_tune_batch_size": 8, "max_length": 16}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def small(sample: Dataset) -> Dataset:
    return replace(sample, train=sample.train[:30], validation=sample.validation[:6], test=sample.test[:6])


def build(dataset: Dataset, cache: Path, **settings: Any) -> MinilmClassifier:
    config = MinilmClassifierConfig(**settings)
    return MinilmClassifier(config, labels=dataset.labels, runtime=Runtime(device="cpu", cache_dir=cache))


def fitted(dataset: Dataset, cache: Path, **settings: Any) -> MinilmClassifier:
    made = build(dataset, cache, **settings)
    made.fit(dataset.train, dataset.validation, seed=0, progress=SILENT)
    return made


def answers(system: MinilmClassifier, asked: list[Dialogue]) -> dict[Target, Prediction]:
    targets = [target for dialogue in asked for target in dialogue.targets()]
    bare = [dialogue.without_labels() for dialogue in asked]
    return {p.target: p for p in system.predict(bare, targets, progress=SILENT)}


@pytest.mark.parametrize("settings", [SMALL, TUNED], ids=["frozen", "fine-tuned"])
def test_what_is_saved_answers_the_same_when_loaded(
    small: Dataset, cache: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    system = fitted(small, cache, **settings)
    system.save(tmp_path)
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".safetensors", ".txt"}
    assert (tmp_path / ENCODER_FOLDER).exists() is settings.get("fine_tune", False)
    loaded = build(small, cache, **settings)
    loaded.load(tmp_path)
    before = answers(system, list(small.test))
    assert answers(loaded, list(small.test)) == before
    assert loaded.report() == system.report()
    one = small.test[2]
    assert answers(loaded, [one]) == {target: before[target] for target in one.targets()}


def test_fine_tuning_changes_the_encoder_but_not_its_word_vectors(small: Dataset, cache: Path) -> None:
    import torch

    from erc_bench.toolkit.encoders import load_encoder, resolve_encoder

    system = fitted(small, cache, **TUNED)
    assert system._tuned is not None
    frozen = dict(load_encoder(resolve_encoder("minilm"), "cpu").named_parameters())
    same = {name: torch.equal(p, frozen[name]) for name, p in system._tuned.model.named_parameters()}
    assert [name for name, equal in same.items() if equal and "pooler" not in name] == [
        name for name in same if "word_embeddings" in name
    ]
    for name, p in system._tuned.model.named_parameters():
        if "word_embeddings" not in name and "pooler" not in name:
            assert p.grad is not None, name


def test_with_labels_emotions_the_neutral_label_is_neither_learned_nor_given(small: Dataset, cache: Path) -> None:
    system = fitted(small, cache, **SMALL, labels="emotions")
    made = answers(system, list(small.test)).values()
    assert small.labels.neutral not in {p.label for p in made}
    assert {p.scores[small.labels.fallback] for p in made if p.scores} == {0.0}
    texts, gold = system._learned(small.train)
    assert len(texts) == len(gold)
    assert small.labels.neutral_index not in gold
    json.dumps([dict(p.scores or {}) for p in made], allow_nan=False)


def test_an_answer_comes_from_the_utterance_alone(small: Dataset, cache: Path) -> None:
    system = fitted(small, cache, **SMALL)
    dialogue = small.test[0]
    alone = replace(dialogue, utterances=dialogue.utterances[:1])
    assert answers(system, [alone])[Target(dialogue.id, 0)] == answers(system, [dialogue])[Target(dialogue.id, 0)]


def trainer(**settings: Any) -> _Trainer:
    import torch

    gold = np.array([0] * 80 + [1] * 15 + [2] * 5)
    texts = ["word " * (1 + i % 9) for i in range(100)]
    config = MinilmClassifierConfig(**settings)
    return _Trainer(config, texts, gold, 3, "cpu", torch.Generator().manual_seed(0))


def test_full_inverse_frequency_gives_balanced_batches() -> None:
    made = trainer(sampler_power=1.0)
    drawn = Counter(made.gold[made.draw(6000)].tolist())
    assert [drawn[label] / 6000 for label in range(3)] == pytest.approx([1 / 3] * 3, abs=0.03)


def test_rare_labels_weigh_more_in_the_cross_entropy() -> None:
    weights = trainer(weight_power=1.0).cross_entropy.weight
    assert weights is not None
    assert (weights / weights[0]).tolist() == pytest.approx([1, 80 / 15, 16])


def test_fine_tuning_takes_as_many_batches_as_set_and_no_more() -> None:
    made = trainer(steps=45, fine_tune_batch_size=4)
    batches = list(made._batches_of_like_length([[0] * (i % 9) for i in range(100)]))
    assert len(batches) == 45
    assert {len(batch) for batch in batches} == {4}


def test_nothing_to_learn_is_refused(small: Dataset, cache: Path) -> None:
    neutral = [
        replace(d, utterances=tuple(replace(u, label="no emotion") for u in d.utterances)) for d in small.train[:2]
    ]
    with pytest.raises(SystemFailedError, match="must hold an utterance with a label to learn"):
        build(small, cache, **SMALL, labels="emotions").fit(neutral, [], seed=0, progress=SILENT)


def test_a_folder_without_a_model_is_refused(small: Dataset, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemFailedError, match="must hold a trained model"):
        build(small, cache).load(tmp_path)


@pytest.mark.parametrize("settings", [SMALL, TUNED], ids=["frozen", "fine-tuned"])
def test_the_contract_is_kept(settings: dict[str, Any]) -> None:
    results = check_system(MinilmClassifier, MinilmClassifierConfig(**settings), device="cpu")
    assert [r for r in results if r.outcome == "failed"] == []


@pytest.mark.parametrize(
    ("settings", "decision"),
    [({}, "calibrated"), ({"decision": "argmax"}, "argmax"), ({"labels": "emotions"}, "argmax")],
)
def test_among_emotions_alone_nothing_is_calibrated(settings: dict[str, str], decision: str) -> None:
    assert MinilmClassifier.decision_of(settings) == decision
