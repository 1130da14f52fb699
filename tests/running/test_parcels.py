from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.errors import DataCorruptError, ErcBenchError, SystemFailedError, UnknownNameError
from erc_bench.running.parcels import Parcel, SentError, datasets_of
from erc_bench.running.request import RunRequest


def test_a_parcel_is_small_and_opens_to_the_same_request(sample: Dataset) -> None:
    system = system_class("prior")
    request = RunRequest(system, system.Config(), sample, Path("results"), seed=3)
    sent = pickle.dumps(Parcel.of(request))
    assert len(sent) < 2_000
    assert pickle.loads(sent).opened(datasets_of([request])) == request


def test_the_corpus_that_it_is_trained_on_travels_once(sample: Dataset) -> None:
    system = system_class("prior")
    other = replace(sample, name="other", test=sample.validation)
    request = RunRequest(system, system.Config(), sample, Path("results"), train_on=other)
    sent = pickle.dumps(Parcel.of(request))
    assert len(sent) < 4_000
    found = pickle.loads(sent).opened(datasets_of([request]))
    assert (found, found.train_on) == (request, other)


class OfAPlugInError(DataCorruptError):
    """An error that the receiving process may not know."""

    def __init__(self, path: str, line: int) -> None:
        super().__init__(f"{path}:{line} must be whole")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SystemFailedError("an odd seed"), SystemFailedError),
        (UnknownNameError("a system", "prio", ["prior"]), UnknownNameError),
        (OfAPlugInError("a.json", 3), DataCorruptError),
        (ErcBenchError("a bug"), ErcBenchError),
    ],
)
def test_errors_arrive_with_kind_and_message(error: ErcBenchError, kind: type[ErcBenchError]) -> None:
    received = pickle.loads(pickle.dumps(SentError.of(error))).received()
    assert type(received) is kind
    assert str(received) == str(error)
    assert received.exit_code == error.exit_code
