from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from erc_bench.contract.config import config_hash
from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.contract.system import Runtime
from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.running.withholding import withhold
from erc_bench.systems.raw_encoder import RawEncoder, RawEncoderConfig
from erc_bench.toolkit.encoders import SentenceEncoder
from erc_bench.toolkit.training import Decision

SILENT = SilentProgress()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def fitted(sample: Dataset, cache: Path, decision: Decision = "calibrated") -> RawEncoder:
    config = RawEncoderConfig(decision=decision)
    system = RawEncoder(config, labels=sample.labels, runtime=Runtime(device="cpu", cache_dir=cache))
    system.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    return system


def test_the_contract_is_kept() -> None:
    failed = [f"{r.name}: {r.reason}" for r in check_system(RawEncoder) if r.outcome == "failed"]
    assert not failed


def test_it_agrees_with_scikit_learns_nearest_centroid(sample: Dataset, cache: Path) -> None:
    from sklearn.neighbors import NearestCentroid

    system = fitted(sample, cache, "argmax")
    encoder = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=cache), system.config.precision)
    train = [u for d in sample.train for u in d.utterances]
    reference = NearestCentroid().fit(encoder.embed([u.text for u in train]), [u.label for u in train])
    texts = [u.text for d in sample.test for u in d.utterances]
    found = system.predict(sample.test, targets_of(sample.test, "all"), progress=SILENT)
    assert [p.label for p in found] == reference.predict(encoder.embed(texts)).tolist()


def test_the_neutral_offset_is_chosen_on_validation(sample: Dataset, cache: Path) -> None:
    gold = [u.label for d in sample.validation for u in d.utterances]
    targets, f1 = targets_of(sample.validation, "all"), {}
    decisions: tuple[Decision, ...] = ("argmax", "calibrated")
    for decision in decisions:
        system = fitted(sample, cache, decision)
        found = [p.label for p in system.predict(sample.validation, targets, progress=SILENT)]
        f1[decision] = f1_score(gold, found, labels=list(sample.labels.emotions), average="micro")
        offset = system.report().measurements["neutral_offset"]
        assert (offset == 0) is (decision == "argmax")
    assert f1["calibrated"] > f1["argmax"]


def test_the_earlier_runs_are_those_without_calibration() -> None:
    assert config_hash(RawEncoderConfig(decision="argmax", precision="float32"), targets="all") == "1afff659b637"


def test_its_embeddings_are_the_encoders_own(sample: Dataset, cache: Path) -> None:
    system = fitted(sample, cache)
    encoder = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=cache), system.config.precision)
    for dialogue, vectors in zip(sample.test, system.embed(sample.test, progress=SILENT), strict=True):
        np.testing.assert_array_equal(vectors, encoder.embed([u.text for u in dialogue.utterances]))


def test_a_withheld_label_has_no_prototype(sample: Dataset, cache: Path) -> None:
    system = RawEncoder(labels=sample.labels, runtime=Runtime(device="cpu", cache_dir=cache))
    system.fit(withhold(sample.train, "happiness"), sample.validation, seed=0, progress=SILENT)
    for prediction in system.predict(sample.test, targets_of(sample.test, "all"), progress=SILENT):
        assert prediction.label != "happiness"
        assert prediction.scores is not None
        assert "happiness" not in prediction.scores


def test_prototypes_of_another_encoder_are_refused(sample: Dataset, cache: Path, tmp_path: Path) -> None:
    system = fitted(sample, cache)
    system.save(tmp_path)
    settings = (tmp_path / "settings.json").read_text()
    (tmp_path / "settings.json").write_text(settings.replace(system._encoder.source.identity, "0" * 64))
    with pytest.raises(SystemFailedError, match="trained on another encoder"):
        system.load(tmp_path)


def test_parameters_are_those_of_the_encoder_and_the_means(sample: Dataset, cache: Path) -> None:
    system = fitted(sample, cache)
    assert system.parameters == system._encoder.source.parameters + 7 * 384
    assert "all-MiniLM-L6-v2" in system.report().notes[0]
