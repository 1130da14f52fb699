from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from erc_bench.contract.config import config_hash
from erc_bench.contract.domain import Dataset, Dialogue, Target, targets_of
from erc_bench.contract.system import Prediction, Runtime
from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.systems.sentemocontext import released
from erc_bench.systems.sentemocontext.released import (
    BATCH,
    ReleasedConfig,
    SentEmoContextReleased,
)

SILENT = SilentProgress()


@pytest.fixture(scope="module")
def small(sample: Dataset) -> Dataset:
    """Forty training dialogues and six test ones, the first of which is longer than fifteen utterances."""
    first = sample.test[0]
    long = replace(first, utterances=(first.utterances * 20)[:20])
    return replace(sample, train=sample.train[:40], validation=(), test=(long, *sample.test[1:6]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def build(dataset: Dataset, cache: Path, **settings: Any) -> SentEmoContextReleased:
    runtime = Runtime(device="cpu", cache_dir=cache)
    return SentEmoContextReleased(ReleasedConfig(**settings), labels=dataset.labels, runtime=runtime)


@pytest.fixture(scope="module")
def untrained(small: Dataset, cache: Path) -> Iterator[SentEmoContextReleased]:
    system = build(small, cache)
    system.fit(small.train, (), seed=0, progress=SILENT)
    yield system
    system.close()


@pytest.fixture(scope="module")
def batched(small: Dataset, cache: Path) -> Iterator[SentEmoContextReleased]:
    system = build(small, cache, eval_batch=32)
    system.fit(small.train, (), seed=0, progress=SILENT)
    yield system
    system.close()


@pytest.fixture(scope="module")
def trained(small: Dataset, cache: Path) -> Iterator[SentEmoContextReleased]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(released, "CLASSIFIER_EPOCHS", 2)
        patch.setattr(released, "RESAMPLED", dict.fromkeys(released.RESAMPLED, 60))
        system = build(small, cache, trained=True)
        system.fit(small.train, (), seed=0, progress=SILENT)
    yield system
    system.close()


def answers(system: SentEmoContextReleased, dialogues: tuple[Dialogue, ...]) -> dict[Target, Prediction]:
    bare = [dialogue.without_labels() for dialogue in dialogues]
    return {p.target: p for p in system.predict(bare, targets_of(bare, "all"), progress=SILENT)}


def test_utterances_beyond_the_fifteenth_have_no_vector_and_no_answer(
    untrained: SentEmoContextReleased, small: Dataset
) -> None:
    vectors = next(iter(untrained.embed(small.test, progress=SILENT)))
    assert vectors.shape == (20, 384)
    assert np.isfinite(vectors[:15]).all()
    assert np.isnan(vectors[15:]).all()
    found = answers(untrained, small.test[:1])
    labels = [found[target].label for target in small.test[0].targets()]
    assert None not in labels[:15]
    assert labels[15:] == [None] * 5


def test_a_dialogue_attends_to_itself_alone_or_to_its_batch(
    untrained: SentEmoContextReleased, batched: SentEmoContextReleased, small: Dataset
) -> None:
    for system, alone in ((untrained, True), (batched, False)):
        first, by_itself = (next(iter(system.embed(part, progress=SILENT))) for part in (small.test, small.test[:1]))
        assert np.allclose(first[:15], by_itself[:15], atol=1e-5) is alone


def test_the_earlier_runs_are_those_in_batches_without_calibration() -> None:
    found = {
        trained: config_hash(ReleasedConfig(trained, eval_batch=32, decision="argmax"), targets="all")
        for trained in (False, True)
    }
    assert found == {False: "f0dea78d0e8c", True: "87498ec4c8d9"}


def test_the_neutral_offset_is_chosen_on_validation(
    untrained: SentEmoContextReleased, sample: Dataset, small: Dataset
) -> None:
    assert untrained._calibrated(sample.validation[:0], SILENT) == 0
    offset, held_out = untrained._calibrated(sample.validation[:8], SILENT), sample.validation[:8]
    gold = {t: held_out[i].utterances[t.turn].label for i in range(8) for t in held_out[i].targets()}

    def micro_f1(offset: float) -> float:
        untrained._offset = offset
        found = {target: p.label for target, p in answers(untrained, held_out).items()}
        emotions = list(sample.labels.emotions)
        return float(
            f1_score(list(gold.values()), [found[t] or "none" for t in gold], labels=emotions, average="micro")
        )

    try:
        assert offset != 0
        assert micro_f1(offset) > micro_f1(0.0)
    finally:
        untrained._offset = 0.0


def test_answers_do_not_depend_on_the_other_test_dialogues(untrained: SentEmoContextReleased, small: Dataset) -> None:
    together = answers(untrained, small.test)
    for dialogue in small.test:
        assert answers(untrained, (dialogue,)).items() <= together.items()


def test_a_row_is_what_the_layer_gives(
    untrained: SentEmoContextReleased, batched: SentEmoContextReleased, small: Dataset
) -> None:
    import torch

    dialogue = small.test[1]
    for system, size in ((untrained, 1), (batched, BATCH)):
        batch = torch.cat([system._companions, system._flat(dialogue)[None]])
        with torch.no_grad():
            expected = system._encoder(batch)[-1]
        assert len(batch) == size
        torch.testing.assert_close(system._alone(dialogue), expected, atol=1e-4, rtol=1e-3)


def test_the_filling_belongs_to_the_seed_and_the_dialogue(untrained: SentEmoContextReleased, small: Dataset) -> None:
    import torch

    short = replace(small.test[1], utterances=small.test[1].utterances[:2])
    filling = untrained._flat(short)[2 * 384 :]
    assert torch.equal(filling, untrained._flat(short)[2 * 384 :])
    assert not torch.equal(filling, untrained._flat(replace(short, id="another"))[2 * 384 :])
    lengths = filling.reshape(-1, 384).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths), atol=0.2, rtol=0)
    assert float(filling.var()) == pytest.approx(0.0026048, rel=0.1), "the variance of the released filling"


def test_training_leaves_the_embeddings_as_they_were(
    untrained: SentEmoContextReleased, trained: SentEmoContextReleased, small: Dataset
) -> None:
    for before, after in zip(
        untrained.embed(small.test, progress=SILENT), trained.embed(small.test, progress=SILENT), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_training_teaches_the_classifier_and_it_gives_the_labels(
    untrained: SentEmoContextReleased, trained: SentEmoContextReleased, small: Dataset
) -> None:
    import torch

    before, after = (system._classifier.state_dict() for system in (untrained, trained))
    assert not torch.equal(before["1.weight"], after["1.weight"])
    found = answers(trained, small.test[1:])
    assert all(sum(p.scores.values()) == pytest.approx(1, abs=1e-4) for p in found.values() if p.scores is not None)
    train = [u for d in small.train for u in d.utterances]
    vectors = torch.from_numpy(trained._sentences.embed([u.text for u in train]))
    with torch.no_grad():
        guessed = trained._classifier(vectors.unsqueeze(1)).squeeze(1).argmax(dim=1).tolist()
    right = sum(small.labels.names[guess] == u.label for guess, u in zip(guessed, train, strict=True))
    assert right / len(train) > 0.5
    assert "pre-trained only: the cross-entropy steps of the main loop are not repeated" in trained.report().notes[0]
    assert "nearest class mean" in untrained.report().notes[0]


def test_a_saved_model_is_its_seed_and_refuses_another_encoder(
    untrained: SentEmoContextReleased, small: Dataset, cache: Path, tmp_path: Path
) -> None:
    untrained.save(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 20e6
    again = build(small, cache)
    again.load(tmp_path)
    assert answers(again, small.test[:2]) == answers(untrained, small.test[:2])
    assert again.parameters == untrained.parameters == 158_528_135 + untrained._sentences.source.parameters
    settings = (tmp_path / "settings.json").read_text()
    (tmp_path / "settings.json").write_text(settings.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(SystemFailedError, match="seed 1"):
        build(small, cache).load(tmp_path)


def test_labels_of_other_datasets_are_resampled_too(
    small: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(released, "CLASSIFIER_EPOCHS", 1)
    monkeypatch.setattr(released, "RESAMPLED", {})
    monkeypatch.setattr(released, "RESAMPLED_OTHER", 16)
    system = build(small, cache, trained=True)
    system.fit(small.train[:8], (), seed=1, progress=SILENT)
    assert answers(system, small.test[1:2])
    system.close()
