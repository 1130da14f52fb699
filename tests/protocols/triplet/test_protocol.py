from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
from erc_bench.errors import DataCorruptError
from erc_bench.protocols.rows import Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.triplet.counts import triplet_scores
from erc_bench.protocols.triplet.evidence import run_counts, write_evidence
from erc_bench.protocols.triplet.protocol import DEGENERATE, TRIPLET
from erc_bench.records.groups import group_runs
from erc_bench.records.record import EMBEDDINGS_FILE, Run, find_runs


@pytest.fixture
def embedding_run(write_run: Any, sample: Dataset, gold: Callable[[Dataset], list[str]], tmp_path: Path) -> Any:
    def make(system: str, *, signal: float, absent: int = 0, constant: bool = False, **fields: Any) -> Run:
        names = gold(sample)
        run: Run = write_run(tmp_path, sample, names, system=system, **fields)
        positions = [sample.labels.index(name) for name in names]
        generator = np.random.default_rng(fields.get("seed", 0))
        vectors = signal * np.eye(7)[positions] + generator.normal(size=(len(names), 7))
        if constant:
            vectors[:] = 1.0
        vectors[len(names) - absent :] = np.nan
        lengths = np.array([len(dialogue) for dialogue in sample.test])
        np.savez(run.folder / EMBEDDINGS_FILE, embeddings=vectors.astype(np.float32), lengths=lengths)
        return run

    return make


def section(sample: Dataset, results: Path) -> Section:
    (found,) = sections(sample, results)
    return found


def sections(sample: Dataset, results: Path) -> list[Section]:
    return TRIPLET.sections(DatasetRuns.of(sample, group_runs(find_runs(results))))


def test_rows_are_unranked_and_controls_come_last(embedding_run: Any, sample: Dataset, tmp_path: Path) -> None:
    embedding_run("weak", signal=0.3)
    embedding_run("strong", signal=4.0)
    embedding_run("raw", signal=1.0, floor=True)
    found = section(sample, tmp_path)
    assert [row.title for row in found.rows] == ["strong", "weak", "raw", "Gaussian noise", "constant vector"]
    assert [row.floor for row in found.rows] == [False, False, True, True, True]
    assert {row.rank for row in found.rows} == {""}
    assert (found.protocol, found.subset) == ("triplet", "all")
    assert (found.dialogues, found.utterances) == (len(sample.test), sum(map(len, sample.test)))


def test_scores_are_means_over_resamplings_with_their_spread(
    embedding_run: Any, sample: Dataset, tmp_path: Path
) -> None:
    embedding_run("strong", signal=4.0)
    row = section(sample, tmp_path).rows[0]
    score = row.scores["macro_f1"]
    assert 80 < score.value < 100
    assert score.deviation is not None
    assert (score.low, score.high) == (None, None)
    assert row.scores["macro_f1_half_ties"].value == pytest.approx(score.value, abs=0.5)
    assert row.scores["tie_rate"].value < 0.01
    assert "10 resamplings" in row.notes[0]
    assert row.confusion is not None
    assert row.confusion.sum() == 10 * sum(map(len, sample.test))
    assert row.per_label["anger"]["f1"] > 80


def test_seeds_of_one_configuration_share_a_row(embedding_run: Any, sample: Dataset, tmp_path: Path) -> None:
    for seed in (0, 1):
        embedding_run("strong", signal=4.0, seed=seed, command=f"erc-bench run --system strong --seed {seed}")
    rows = section(sample, tmp_path).rows
    assert rows[0].seeds == 2
    assert rows[0].context_tested
    assert rows[0].source == "erc-bench run --system strong --seeds 0-1"
    assert "20 resamplings" in rows[0].notes[0]
    assert len(rows) == 3
    counts = [run_counts(run.folder, sample) for run in find_runs(tmp_path)]
    first, second = (triplet_scores(each, sample.labels)["macro_f1"] for each in counts)
    draws = ((first.var(ddof=1) + second.var(ddof=1)) / 2) ** 0.5
    means = abs(first.mean() - second.mean()) / 2**0.5
    assert rows[0].notes[1] == (
        f"± of macro F1 apart: {draws:.2f} between resamplings of one seed, {means:.2f} between the means of 2 seeds"
    )


def test_a_space_of_one_point_is_flagged_as_degenerate(embedding_run: Any, sample: Dataset, tmp_path: Path) -> None:
    embedding_run("collapsed", signal=0, constant=True)
    rows = {row.title: row for row in section(sample, tmp_path).rows}
    for title in ("collapsed", "constant vector"):
        assert rows[title].flags == (DEGENERATE,)
        assert rows[title].scores["macro_f1"].value == 100
        assert rows[title].scores["macro_f1_half_ties"].value == pytest.approx(50, abs=1)
    assert rows["Gaussian noise"].flags == ()


def test_utterances_without_a_vector_are_told(embedding_run: Any, sample: Dataset, tmp_path: Path) -> None:
    embedding_run("cut", signal=1.0, absent=4)
    notes = section(sample, tmp_path).rows[0].notes
    assert f"4 of {sum(map(len, sample.test))} test utterances have no vector and are never drawn" in notes


def test_runs_without_embeddings_and_with_a_label_withheld_have_no_row(
    embedding_run: Any, write_run: Any, sample: Dataset, gold: Any, tmp_path: Path
) -> None:
    write_run(tmp_path, sample, gold(sample), system="plain")
    assert sections(sample, tmp_path) == []
    embedding_run("without", signal=1.0, withheld="fear", config_hash="f" * 12)
    assert sections(sample, tmp_path) == []


def test_committed_counts_are_enough_and_altered_embeddings_are_refused(
    embedding_run: Any, sample: Dataset, tmp_path: Path
) -> None:
    run = embedding_run("strong", signal=4.0)
    before = section(sample, tmp_path).rows[0].scores
    write_evidence(run.folder, sample)
    vectors = (run.folder / EMBEDDINGS_FILE).read_bytes()
    (run.folder / EMBEDDINGS_FILE).unlink()
    assert section(sample, tmp_path).rows[0].scores == before
    (run.folder / EMBEDDINGS_FILE).write_bytes(vectors[:-1])
    with pytest.raises(DataCorruptError):
        section(sample, tmp_path)


def test_it_applies_only_where_triplets_can_be_drawn(sample: Dataset) -> None:
    assert TRIPLET.applies_to(sample)
    three = LabelSet(("calm", "joy", "rage"), neutral="calm")
    lonely = Dialogue("test-00000", (Utterance("Hello.", "A", "calm"), Utterance("Hurray!", "B", "joy")))
    assert not TRIPLET.applies_to(Dataset("lonely", three, (), (), (lonely,)))
