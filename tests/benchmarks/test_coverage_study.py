from __future__ import annotations

import runpy
from pathlib import Path

from erc_bench.contract.domain import Dataset
from erc_bench.scoring.catalogue import METRICS


def test_the_coverage_study_runs_and_its_shares_are_shares(sample: Dataset) -> None:
    study = runpy.run_path(str(Path(__file__).with_name("bench_coverage.py")))
    counts = study["population"](sample)
    assert counts.sum() == sum(map(len, sample.train))
    assert study["population"](sample, last=True).sum() == len(sample.train)
    found = study["measure"](counts, sample.labels, test_sets=30, dialogues=60, resamples=100)
    assert found.keys() == {(method, metric) for method in study["METHODS"] for metric in METRICS}
    for each in found.values():
        assert 0 <= each.held <= 1
        assert abs(each.held + each.below + each.above - 1) < 1e-9
    assert found["used", "macro_f1"].held >= 0.85
