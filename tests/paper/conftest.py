"""Run records of the sample dataset with chosen answers and embeddings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Prediction
from erc_bench.records.predictions import PREDICTIONS_FILE, predictions_bytes
from erc_bench.records.record import EMBEDDINGS_FILE, Run, RunRecord, run_folder, write_record


class MakeRun(Protocol):
    def __call__(
        self, system: str, *, wrong: int = ..., embeds: bool = ..., spread: float = ..., **fields: Any
    ) -> Run: ...


@pytest.fixture
def make_run(tmp_path: Path, sample: Dataset) -> MakeRun:
    """Runs in `tmp_path / "results"` that answer every `wrong`-th utterance with anger and the others rightly."""

    def make(system: str, *, wrong: int = 3, embeds: bool = False, spread: float = 1.0, **fields: Any) -> Run:
        record = RunRecord.model_validate(
            {
                "status": "complete",
                "system": system,
                "config_hash": hashlib.sha256(repr(sorted(fields.get("settings", {}).items())).encode()).hexdigest()[
                    :12
                ],
                "seed": 0,
                "targets": "all",
                "dataset": sample.name,
                "dataset_fingerprint": sample.fingerprint,
                "command": f"erc-bench run --system {system} --dataset sample --seed 0",
            }
            | fields
        )
        targets = [
            (target, dialogue.utterances[target.turn].label)
            for dialogue in sample.test
            for target in dialogue.targets(record.targets)
        ]
        data = predictions_bytes(
            Prediction(target.dialogue, target.turn, "anger" if position % wrong == 0 else label)
            for position, (target, label) in enumerate(targets)
        )
        record.predictions_sha256 = hashlib.sha256(data).hexdigest()
        folder = run_folder(tmp_path / "results", record)
        folder.mkdir(parents=True)
        (folder / PREDICTIONS_FILE).write_bytes(data)
        if embeds:
            lengths = [len(dialogue) for dialogue in sample.test]
            generator = np.random.default_rng(record.seed)
            vectors = generator.standard_normal((sum(lengths), 8)).astype(np.float32)
            gold = [sample.labels.index(u.label or "") for d in sample.test for u in d.utterances]
            vectors[np.arange(len(gold)), gold] += 3.0
            vectors *= spread
            np.savez(folder / EMBEDDINGS_FILE, embeddings=vectors, lengths=np.array(lengths))
        write_record(folder, record)
        return Run(folder, record)

    return make
