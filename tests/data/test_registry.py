from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from erc_bench.data import registry
from erc_bench.errors import DataError, UnknownNameError


def test_the_built_in_datasets_are_registered() -> None:
    assert {"dailydialog", "sample"} <= set(registry.dataset_names())
    assert registry.dataset_names() == sorted(registry.dataset_names())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'dailydialog'"):
        registry.dataset_spec("dailydialogue")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module:X", "broken of unknown cannot be imported from no_such_module:X: ModuleNotFoundError"),
        ("erc_bench.contract.domain:Dialogue", "of unknown must be a DatasetSpec, got"),
        ("erc_bench.data.sample:SAMPLE", "must carry the same name, got 'sample' in .* of unknown"),
    ],
)
def test_broken_plugins_are_named(value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("broken", value, registry.GROUP)
    monkeypatch.setattr(registry, "registered", lambda group: {"broken": point})
    with pytest.raises(DataError, match=message):
        registry.dataset_spec("broken")
