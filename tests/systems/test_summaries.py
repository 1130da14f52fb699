from __future__ import annotations

import tomllib
from pathlib import Path

from erc_bench.contract.registry import system_class
from erc_bench.systems.summaries import SUMMARIES

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_list_says_of_each_built_in_system_what_it_says_itself() -> None:
    points = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["entry-points"]["erc_bench.systems"]
    infos = {value: system_class(name).info for name, value in points.items()}
    assert {value: (info.summary, info.context) for value, info in infos.items()} == SUMMARIES
