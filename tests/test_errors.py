from __future__ import annotations

import pytest

from erc_bench import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.ConfigError, 2),
        (errors.PlanError, 2),
        (errors.DataMissingError, 3),
        (errors.DataCorruptError, 3),
        (errors.ModelUnavailableError, 4),
        (errors.SystemFailedError, 4),
        (errors.SomeRunsFailedError, 5),
        (errors.VerificationError, 6),
    ],
)
def test_exit_codes_are_the_documented_ones(error: type[errors.ErcBenchError], code: int) -> None:
    assert error.exit_code == code


def test_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    error = errors.UnknownNameError("a system", "sentemocontex", ["lookup", "sentemocontext"])
    assert str(error) == (
        "a system must be one of lookup, sentemocontext, got 'sentemocontex'. Did you mean 'sentemocontext'?"
    )


def test_missing_dependency_names_its_install_command() -> None:
    error = errors.MissingDependencyError("vllm", needed_for="serving a model", install="pip install vllm")
    assert "serving a model needs the package vllm" in str(error)
    assert str(error).endswith("pip install vllm")


def test_every_error_stands_in_the_drawn_tree() -> None:
    drawn = errors.__doc__ or ""
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    missing = [c.__name__ for c in classes if issubclass(c, Exception) and c.__name__ not in drawn]
    assert not missing
