"""What travels between the processes that make runs: requests, datasets once for all of them, outcomes and errors."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from erc_bench import errors
from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import Resources
from erc_bench.errors import ErcBenchError
from erc_bench.progress import Progress
from erc_bench.running.request import RunOutcome, RunRequest
from erc_bench.running.runner import execute


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that could not be made, and why."""

    request: RunRequest
    error: ErcBenchError


Result = tuple[RunRequest, RunOutcome | Failure]


def resources_of(request: RunRequest) -> Resources:
    """What a run asks for; a system that cannot say it gets the usual, and its run says what is wrong."""
    try:
        return request.build().resources
    except Exception:
        return Resources()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A request for another process, to which the datasets of all runs are sent once, by fingerprint."""

    hollow: RunRequest
    fingerprint: str
    train_fingerprint: str | None

    @classmethod
    def of(cls, request: RunRequest) -> Parcel:
        """The request without its dialogues."""
        other = request.train_on
        hollow = replace(request, dataset=_hollow(request.dataset), train_on=_hollow(other) if other else None)
        return cls(hollow, request.dataset.fingerprint, other.fingerprint if other else None)

    @property
    def fingerprints(self) -> list[str]:
        """Of the datasets that it leaves out."""
        return [name for name in (self.fingerprint, self.train_fingerprint) if name is not None]

    def opened(self, datasets: Mapping[str, Dataset]) -> RunRequest:
        """The request at the other end."""
        other = None if self.train_fingerprint is None else datasets[self.train_fingerprint]
        return replace(self.hollow, dataset=datasets[self.fingerprint], train_on=other)


def _hollow(dataset: Dataset) -> Dataset:
    return replace(dataset, train=(), validation=(), test=())


def datasets_of(requests: Sequence[RunRequest]) -> dict[str, Dataset]:
    """The datasets of all requests by fingerprint."""
    every = (dataset for request in requests for dataset in (request.dataset, request.train_on))
    return {dataset.fingerprint: dataset for dataset in every if dataset is not None}


@dataclass(frozen=True, slots=True)
class SentError:
    """An error as it travels between processes: its kind among the harness's own, and what it says."""

    kind: str
    message: str

    @classmethod
    def of(cls, error: ErcBenchError) -> SentError:
        """Of an error; one that a plug-in derived travels as what it was derived from."""
        kind = next(c for c in type(error).__mro__ if getattr(errors, c.__name__, None) is c)
        return cls(kind.__name__, str(error))

    def received(self) -> ErcBenchError:
        """The error at the other end."""
        kind = getattr(errors, self.kind)
        error: ErcBenchError = kind.__new__(kind, self.message)
        return error


def made(request: RunRequest, progress: Progress) -> RunOutcome | SentError:
    """Make a run; an error comes back as what can be sent."""
    try:
        return execute(request, progress)
    except ErcBenchError as error:
        return SentError.of(error)
    except Exception:
        return SentError(ErcBenchError.__name__, f"a bug in erc-bench, please report it:\n{traceback.format_exc()}")
