"""Settings of every registered system: each number says which values make sense, and no other is accepted."""

from __future__ import annotations

import math
import typing
from typing import Any

import pytest

from erc_bench.contract.config import FieldInfo, Limits, build_config, describe
from erc_bench.contract.registry import system_class, system_names
from erc_bench.errors import ConfigError

NUMERIC: tuple[type[int], type[float]] = (int, float)


def numbers(name: str) -> list[tuple[FieldInfo, type[int] | type[float]]]:
    config = system_class(name).Config
    hints = typing.get_type_hints(config)
    found: list[tuple[FieldInfo, type[int] | type[float]]] = []
    for field in describe(config):
        kinds = {hints[field.name], *typing.get_args(hints[field.name])}
        found += [(field, kind) for kind in NUMERIC if kind in kinds]
    return found


NUMBERS = [
    pytest.param(name, field, kind, id=f"{name}-{field.name}")
    for name in system_names()
    for field, kind in numbers(name)
]


def refused(name: str, field: FieldInfo, value: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        build_config(system_class(name).Config, {field.name: value}, owner=name)
    return str(caught.value)


def test_there_are_numbers_to_look_at() -> None:
    assert len(NUMBERS) > 60


@pytest.mark.parametrize(("name", "field", "kind"), NUMBERS)
def test_a_number_has_two_ends_and_refuses_what_is_none(name: str, field: FieldInfo, kind: type) -> None:
    limits = field.limits
    assert limits != Limits()
    ends = [
        limits.at_least if limits.above is None else limits.above,
        limits.at_most if limits.below is None else limits.below,
    ]
    assert None not in ends, f"{field.name} must have a lower and an upper limit"
    assert field.default is None or limits.hold(field.default)
    for text in ("nan", "inf", "-inf", "-1e308", "1e308", "9" * 5000):
        message = refused(name, field, text)
        assert f"the setting {field.name} of {name} must be" in message
        assert len(message) < 400
    low, high = (float(end or 0) for end in ends)
    assert math.isfinite(low)
    step = 1 if kind is int else max(abs(high), 1.0) * 1e-6
    for outside in (kind(low - step), kind(high + step)):
        assert str(limits) in refused(name, field, outside)
