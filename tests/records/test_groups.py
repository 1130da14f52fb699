from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from erc_bench.contract.domain import Dataset, Targets
from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.records.groups import check_run, group_runs, named_groups, source_of, titles, without_twins
from erc_bench.records.predictions import PREDICTIONS_FILE
from erc_bench.records.record import find_runs

if TYPE_CHECKING:
    from tests.conftest import WriteRun

Gold = Callable[[Dataset], list[str]]


def test_titles_are_shared_across_datasets_only(
    tmp_path: Path, mini: Dataset, sample: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    write_run(tmp_path, mini, gold(mini))
    write_run(tmp_path, sample, gold(sample))
    assert titles(group_runs(find_runs(tmp_path))) == ["echo", "echo"]


def test_altered_predictions_are_refused(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    path = run.folder / PREDICTIONS_FILE
    path.write_bytes(path.read_bytes().replace(b'"no emotion"', b'"happiness"', 1))
    with pytest.raises(DataCorruptError, match="it was altered") as caught:
        check_run(run, mini)
    assert str(path) in str(caught.value)


def test_missing_predictions_are_refused(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini))
    (run.folder / PREDICTIONS_FILE).unlink()
    with pytest.raises(DataMissingError, match=r"must hold predictions\.jsonl"):
        check_run(run, mini)


def test_seeds_of_one_configuration_share_a_group(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    for seed in (2, 0):
        write_run(tmp_path, mini, gold(mini), seed=seed)
    write_run(tmp_path, mini, gold(mini), seed=1, status="running")
    write_run(tmp_path, mini, gold(mini), config_hash="ffffffffffff", settings={"loud": True})
    groups = group_runs(find_runs(tmp_path))
    assert [[run.record.seed for run in group.runs] for group in groups] == [[0, 2], [0]]
    assert titles(groups) == ["echo", "echo (loud=true)"]
    assert [row.title for row in named_groups(groups)] == titles(groups)


def test_a_title_that_two_configurations_have_carries_the_hash(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    for config_hash in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        write_run(tmp_path, mini, gold(mini), config_hash=config_hash)
    assert titles(group_runs(find_runs(tmp_path))) == ["echo [aaaaaaaaaaaa]", "echo [bbbbbbbbbbbb]"]


def test_groups_of_one_title_show_the_settings_that_tell_them_apart(
    tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun
) -> None:
    configs: list[dict[str, object]] = [
        {"epochs": 5},
        {"epochs": 5, "precision": "bf16"},
        {"epochs": 6, "precision": "bf16"},
    ]
    for digit, config in zip("abc", configs, strict=True):
        write_run(tmp_path, mini, gold(mini), config_hash=digit * 12, config=config)
    assert titles(group_runs(find_runs(tmp_path))) == [
        "echo (epochs=5)",
        "echo (epochs=5, precision=bf16)",
        "echo (epochs=6, precision=bf16)",
    ]
    for run in list(find_runs(tmp_path))[2:]:
        (run.folder / "run.json").unlink()
    assert titles(group_runs(find_runs(tmp_path))) == ["echo", "echo (precision=bf16)"]


def test_a_run_on_other_data_is_refused(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    run = write_run(tmp_path, mini, gold(mini), dataset_fingerprint="0" * 64)
    with pytest.raises(DataCorruptError, match="must have been made on mini with fingerprint"):
        check_run(run, mini)


def test_the_source_of_a_row(tmp_path: Path, mini: Dataset, gold: Gold, write_run: WriteRun) -> None:
    records = [write_run(tmp_path, mini, gold(mini), seed=seed).record for seed in range(4)]
    command = "erc-bench run --system echo --dataset mini"
    assert source_of(records) == f"{command} --seeds 0-3"
    assert source_of(records[:1]) == f"{command} --seed 0"
    assert source_of([records[0], records[2]]) == f"{command} --seed 0; {command} --seed 2"
    assert source_of([*records[:2], records[3]]) == f"{command} --seeds 0-1; {command} --seed 3"
    others = [record.model_copy(update={"command": f"{record.command} --set old=1"}) for record in records[2:]]
    assert source_of([*records[:2], *others]) == f"{command} --seeds 0-1; {command} --seeds 2-3 --set old=1"
    scored = records[0].model_copy(update={"evidence": "predictions", "reference": "Doe et al., ACL 2025"})
    assert source_of([scored]) == "Doe et al., ACL 2025"


def test_a_run_over_last_turns_is_no_second_row_of_a_configuration_that_labelled_all(
    tmp_path: Path, mini: Dataset, write_run: WriteRun
) -> None:
    def happy(targets: Targets, **fields: Any) -> None:
        count = 96 if targets == "all" else len(mini.test)
        write_run(tmp_path, mini, ["happiness"] * count, targets=targets, **fields)

    happy("all", system="both")
    happy("last", system="both", config_hash="aaaa")
    happy("last", system="alone", config_hash="aaaa")
    happy("all", system="other", settings={"mode": "rank"}, config_hash="bbbb")
    happy("last", system="other", settings={"mode": "choose"}, config_hash="cccc")
    happy("all", system="seeds", seed=0)
    for seed in (0, 1):
        happy("last", system="seeds", seed=seed, config_hash="aaaa")
    kept, twins = without_twins(group_runs(find_runs(tmp_path)))
    assert [(twin.record.title, group.record.title) for twin, group in twins] == [("both (targets=last)", "both")]
    assert [group.record.title for group in kept] == [
        "alone (targets=last)",
        "both",
        "other (mode=rank)",
        "other (mode=choose, targets=last)",
        "seeds",
        "seeds (targets=last)",
    ]
