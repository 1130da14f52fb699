"""Every error the harness raises on purpose, with the exit code it ends the command line with.

    ErcBenchError
    ├── UsageError              2   a name, option or setting that makes no sense
    │   ├── UnknownNameError        no system, dataset or protocol of that name
    │   ├── ConfigError             `--set` with an unknown field or an impossible value
    │   └── PlanError               a file of runs to make, or of contrasts, that makes no sense
    ├── DataError               3   a dataset or file of results
    │   ├── DataMissingError        not where it was looked for
    │   ├── DataCorruptError        there, but truncated, altered or mislabelled
    │   └── StorageError            the operating system refuses to read or write: disk full, read-only, gone
    ├── SystemFailedError       4   a system could not train, load or predict
    │   ├── MissingDependencyError  an optional package is not installed
    │   └── ModelUnavailableError   weights that cannot be had (gated, offline, no such name)
    ├── SomeRunsFailedError     5   several runs were asked for, some failed
    └── VerificationError       6   a recomputed number differs from the recorded one

Messages follow one pattern: "X must be …, got Y", then what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

EXIT_INTERRUPTED = 130


class ErcBenchError(Exception):
    """Base of all errors raised on purpose; `exit_code` is the status the command line ends with."""

    exit_code = 1

    def restated(self, message: str) -> Self:
        """The same kind of error with another message, whatever its constructor takes."""
        return type(self).__new__(type(self), message)


class UsageError(ErcBenchError):
    """The request itself makes no sense."""

    exit_code = 2


class UnknownNameError(UsageError):
    """No system, dataset or protocol of that name."""

    def __init__(self, kind: str, got: str, known: Iterable[str], *, advice: str = "") -> None:
        import difflib

        names = sorted(known)
        message = f"{kind} must be one of {', '.join(names) or '(none installed)'}, got {got!r}."
        nearest = difflib.get_close_matches(got, names, n=1)
        if nearest:
            message += f" Did you mean {nearest[0]!r}?"
        super().__init__(f"{message} {advice}".rstrip())


class ConfigError(UsageError):
    """A setting given with `--set` is unknown or has an impossible value."""


class PlanError(UsageError):
    """A file of runs to make, or of contrasts to test, cannot be read or asks for what makes no sense."""


class DataError(ErcBenchError):
    """A dataset or a file of results cannot be used."""

    exit_code = 3


class DataMissingError(DataError):
    """Data is not where it was looked for."""


class DataCorruptError(DataError):
    """Data is there, but truncated, altered or mislabelled."""


class StorageError(DataError):
    """The operating system refuses to read or write a file of results."""


class SystemFailedError(ErcBenchError):
    """A system could not train, load or predict."""

    exit_code = 4


class MissingDependencyError(SystemFailedError):
    """An optional package is not installed."""

    def __init__(self, package: str, *, needed_for: str, install: str) -> None:
        super().__init__(f"{needed_for} needs the package {package}, which is not installed. Install it: {install}")


class ModelUnavailableError(SystemFailedError):
    """Model weights cannot be had: gated, offline, or no such name."""


class SomeRunsFailedError(ErcBenchError):
    """Several runs were asked for and some of them failed; the others are complete."""

    exit_code = 5


class VerificationError(ErcBenchError):
    """A recomputed number differs from the recorded one."""

    exit_code = 6
