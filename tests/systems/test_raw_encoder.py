from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.contract.system import Runtime
from erc_bench.errors import SystemFailedError
from erc_bench.progress import SilentProgress
from erc_bench.running.conformance import check_system
from erc_bench.running.withholding import withhold
from erc_bench.systems.raw_encoder import RawEncoder
from erc_bench.toolkit.encoders import SentenceEncoder

SILENT = SilentProgress()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def fitted(sample: Dataset, cache: Path) -> RawEncoder:
    system = RawEncoder(labels=sample.labels, runtime=Runtime(device="cpu", cache_dir=cache))
    system.fit(sample.train, sample.validation, seed=0, progress=SILENT)
    return system


def test_the_contract_is_kept() -> None:
    failed = [f"{r.name}: {r.reason}" for r in check_system(RawEncoder) if r.outcome == "failed"]
    assert not failed


def test_it_agrees_with_scikit_learns_nearest_centroid(sample: Dataset, cache: Path) -> None:
    from sklearn.neighbors import NearestCentroid

    system = fitted(sample, cache)
    encoder = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=cache))
    train = [u for d in sample.train for u in d.utterances]
    reference = NearestCentroid().fit(encoder.embed([u.text for u in train]), [u.label for u in train])
    texts = [u.text for d in sample.test for u in d.utterances]
    found = system.predict(sample.test, targets_of(sample.test, "all"), progress=SILENT)
    assert [p.label for p in found] == reference.predict(encoder.embed(texts)).tolist()


def test_its_embeddings_are_the_encoders_own(sample: Dataset, cache: Path) -> None:
    system = fitted(sample, cache)
    encoder = SentenceEncoder("minilm", Runtime(device="cpu", cache_dir=cache))
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
