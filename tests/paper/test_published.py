from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from erc_bench.board.published import published_results
from erc_bench.contract.config import build_config, changed_settings
from erc_bench.contract.registry import system_class
from erc_bench.data.dailydialog import LABELS
from erc_bench.errors import DataCorruptError
from erc_bench.paper.published import FILE, PATH, Counterpart, paper_tables, parse_tables
from erc_bench.records.record import RunRecord


def content() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("erc_bench.leaderboard").joinpath(FILE).read_text("utf-8"))
    return found


def record(**fields: Any) -> RunRecord:
    base = {
        "status": "complete",
        "system": "llama2-7b",
        "config_hash": "0",
        "seed": 0,
        "targets": "last",
        "dataset": "dailydialog",
        "dataset_fingerprint": "0",
    }
    return RunRecord.model_validate(base | fields)


def test_rows_are_those_of_table_2_where_both_tables_have_them() -> None:
    table_2 = {result.system: result for result in published_results("dailydialog")}
    tables = paper_tables()
    for name, cells in tables.table_5.items():
        result = table_2[name]
        assert [float(cells[key]) for key in ("macro_f1", "micro_f1", "mcc")] == [
            result.macro_f1,
            result.micro_f1,
            result.mcc,
        ]
    sec = table_2["SentEmoContext"]
    assert [tables.number("table_4", "SentEmoContext", key) for key in ("macro_f1", "micro_f1", "mcc")] == [
        sec.macro_f1,
        sec.micro_f1,
        sec.mcc,
    ]


def test_table_3_has_every_label_and_its_f1_follow_from_its_p_and_r() -> None:
    tables = paper_tables()
    assert tuple(tables.table_3) == LABELS.names
    for label in tables.table_3:
        p, r, f1 = (tables.number("table_3", label, key) for key in ("precision", "recall", "f1"))
        assert 2 * p * r / (p + r) == pytest.approx(f1, abs=0.0011)


def test_released_confusions_cover_the_last_turns_of_the_test_split() -> None:
    tables = paper_tables()
    gold = [673, 14, 3, 0, 284, 18, 8]
    for name in tables.confusions:
        found = tables.confusion(name)
        assert found.shape == (7, 8)
        assert found.sum() == 1000
        assert found.sum(axis=1).tolist() == gold


def test_counterparts_are_configurations_of_registered_systems(tmp_path: Path) -> None:
    file = tmp_path / "public.vec"  # a setting that names a file is known by what is in it
    file.touch()
    for counterpart in (*paper_tables().counterparts.values(), *paper_tables().expected):
        system = system_class(counterpart.system)
        for settings in (counterpart.settings, *counterpart.alternatives):
            given = {name: str(file) if value == PATH else value for name, value in settings.items()}
            config = build_config(system.Config, given, owner=counterpart.system)
            recorded = {name: file.name if value == PATH else value for name, value in settings.items()}
            assert changed_settings(config) == recorded


def test_a_counterpart_is_found_by_exactly_its_settings() -> None:
    wanted = Counterpart(system="llama2-7b", settings={"chat": False}, alternatives=({},), targets="last")
    assert wanted.fit(record(settings={"chat": False})) == (0, False)
    assert wanted.fit(record(settings={"chat": False}, targets="all")) == (0, True)
    assert wanted.fit(record()) == (1, False)
    assert wanted.fit(record(settings={"chat": False, "parser": "released"})) is None
    assert wanted.fit(record(settings={"chat": False}, system="llama2-13b")) is None
    assert Counterpart(system="llama2-7b").fit(record()) is None


def test_a_setting_that_names_a_file_fits_any_file() -> None:
    wanted = Counterpart(system="isolated-linear", settings={"vectors": "PATH"})
    assert wanted.title == "isolated-linear (vectors=PATH)"
    assert wanted.command("dailydialog") == "erc-bench run --system isolated-linear --set vectors=PATH --seeds 0"

    def fit(**settings: Any) -> tuple[int, bool] | None:
        return wanted.fit(record(system="isolated-linear", targets="all", settings=settings))

    assert fit(vectors="wiki.vec") == (0, False)
    assert fit() is None
    assert fit(vectors="wiki.vec", margin=2.0) is None
    assert fit(margin="PATH") is None


def test_the_command_of_a_counterpart() -> None:
    wanted = Counterpart(system="llama2-7b", settings={"chat": False}, targets="last", seeds="0-9")
    assert wanted.command("dailydialog") == (
        "erc-bench run --system llama2-7b --set chat=false --targets last --seeds 0-9"
    )
    assert Counterpart(system="a").command("sample") == "erc-bench run --system a --dataset sample --seeds 0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("table_3", "anger", "recall"), "0,58x"),
        (("table_5", "Llama2-7b", "accuracy"), "3"),
        (("counterparts", "Llama2-7b", "targets"), "first"),
        (("confusions", "Llama2-7b"), "none"),
        (("ten_run_mcc", "Falcon-7b", "deviation"), "-0.1"),
    ],
)
def test_a_damaged_file_is_refused(path: tuple[str, ...], value: str) -> None:
    damaged = copy.deepcopy(content())
    place = damaged
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(DataCorruptError, match=rf"paper_tables\.json must be valid, got .*{path[1]}"):
        parse_tables(damaged)
