from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from erc_bench.errors import DataCorruptError, DataMissingError
from erc_bench.records.predictions import predictions_sha256, read_predictions
from erc_bench.records.record import (
    SCHEMA_VERSION,
    RunRecord,
    find_runs,
    read_record,
    run_folder,
    survey_runs,
    write_record,
)
from erc_bench.running.export import export_run


def record(**changes: object) -> RunRecord:
    values: dict[str, object] = {
        "status": "complete",
        "system": "toy",
        "config_hash": "0123456789ab",
        "seed": 0,
        "targets": "all",
        "dataset": "sample",
        "dataset_fingerprint": "f" * 64,
    }
    return RunRecord.model_validate(values | changes)


def test_record_round_trip(tmp_path: Path) -> None:
    written = record(settings={"fine_tune": True}, timings={"train": 1.5})
    write_record(tmp_path, written)
    assert read_record(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"], "no temporary file may stay"


def test_title_shows_what_differs_from_the_defaults() -> None:
    assert record().title == "toy"
    assert record(settings={"fine_tune": True, "epochs": 3}, targets="last").title == (
        "toy (fine_tune=true, epochs=3, targets=last)"
    )


def test_a_title_knows_the_defaults_of_today() -> None:
    config = {"alpha": 1.0, "decision": "argmax"}
    dialogue = {"context": "past", "epochs": 4}
    old = record(system="dialogue-encoder", config=dialogue, settings=dialogue)
    assert old.title == "dialogue-encoder (context=past)", "what was asked for became the default"
    older = record(system="dialogue-encoder", config={"context": "past", "epochs": 2}, settings={"context": "past"})
    assert older.title == "dialogue-encoder (context=past, epochs=2)", "what was the default must be asked for"
    assert record(system="no-such-system", config=config, settings={"alpha": 1.0}).title == "no-such-system (alpha=1.0)"


def test_a_title_shows_what_was_before_there_was_a_setting() -> None:
    trained = {"trained": True}
    old = record(system="sentemocontext-released", config=trained, settings=trained)
    assert old.title == "sentemocontext-released (trained=true, eval_batch=32, decision=argmax)"
    now = trained | {"eval_batch": 1, "decision": "calibrated"}
    assert record(system="sentemocontext-released", config=now, settings=trained).title == (
        "sentemocontext-released (trained=true)"
    )
    # Of somebody's predictions no setting is known.
    assert record(system="sentemocontext-released", evidence="predictions").title == "sentemocontext-released"


@pytest.mark.parametrize("precision", ["bf16", "float32"])
def test_a_title_leaves_out_what_the_machine_decides(precision: str) -> None:
    """Rows that differ in it alone are told apart by the board (`erc_bench.records.groups.titles`)."""
    given = {"precision": precision}
    config = {"encoder": "minilm", "decision": "calibrated"} | given
    assert record(system="raw-encoder", config=config, settings=given).title == "raw-encoder"


@pytest.mark.parametrize(
    ("config", "precision"), [({"encoder": "mpnet", "precision": "bf16"}, "bf16"), ({"encoder": "mpnet"}, "float32")]
)
def test_the_command_of_today_sets_what_the_run_left_to_defaults_and_to_its_machine(
    config: dict[str, str], precision: str
) -> None:
    command = "erc-bench run --system raw-encoder --dataset mini --seed 1 --set encoder=mpnet --withhold anger"
    old = record(system="raw-encoder", config=config, settings={"encoder": "mpnet"}, command=command, seed=1)
    assert old.command_today == (
        f"erc-bench run --system raw-encoder --dataset mini --seed 1 --set decision=argmax --set precision={precision} "
        "--set encoder=mpnet --withhold anger"
    )
    assert record(system="no-such-system", config=config, command=command).command_today == command
    label = record(system="constant", config={"label": "no emotion"}, command="erc-bench run --seed 3", seed=3)
    assert label.command_today == 'erc-bench run --seed 3 --set "label=no emotion"'


def test_a_title_keeps_a_setting_that_there_is_no_more() -> None:
    gone = {"gone": 3}
    config = {"encoder": "minilm", "decision": "calibrated"} | gone
    assert record(system="raw-encoder", config=config, settings=gone).title == "raw-encoder (gone=3)"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "must be JSON"),
        ("[]", "must be a run record"),
        (json.dumps(record().model_dump() | {"seed": "x"}), "seed: "),
        (json.dumps(record().model_dump() | {"seed": True}), "seed: "),
        (json.dumps(record().model_dump() | {"seed": 2**63}), "seed: "),
        (json.dumps(record().model_dump() | {"parameters": -1}), "parameters: "),
        (json.dumps(record().model_dump() | {"scores": {"mcc": math.nan}}), "scores.mcc: "),
        (json.dumps(record().model_dump() | {"timings": {"train": math.inf}}), "timings.train: "),
        (json.dumps(record().model_dump() | {"system": "../elsewhere"}), "system: "),
        (json.dumps(record().model_dump() | {"dataset": ".."}), "dataset: "),
        (json.dumps(record().model_dump() | {"config_hash": "a\nb"}), "config_hash: "),
        (json.dumps(record().model_dump() | {"schema_version": 99}), "must be at most 2, got 99: .* Upgrade"),
        (json.dumps(record().model_dump() | {"schema_version": "1"}), "must be a whole number from 1 to 2, got '1'"),
        (json.dumps(record().model_dump() | {"schema_version": 0}), "must be a whole number from 1 to 2, got 0"),
        (json.dumps({"status": "complete"}), "must be a whole number from 1 to 2, got None"),
        ("[" * 100_000, "must be JSON, got values nested"),
        ('{"config": ' * 200 + "1" + "}" * 200, "must be JSON, got values nested in more than 100 others"),
        ('{"seed": ' + "1" * 5000 + "}", "must be JSON, got .* limit"),
        (b'{"system": "\xff"}', "must be JSON, got .*utf-8"),
    ],
)
def test_bad_records_are_refused(content: str | bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataCorruptError, match=message) as caught:
        read_record(tmp_path)
    assert str(tmp_path / "run.json") in str(caught.value)


def test_unknown_fields_of_a_known_version_are_kept(tmp_path: Path) -> None:
    write_record(tmp_path, RunRecord.model_validate(record().model_dump() | {"room": {"number": 7}}))
    found = read_record(tmp_path)
    write_record(tmp_path, found)
    assert json.loads((tmp_path / "run.json").read_text())["room"] == {"number": 7}
    assert read_record(tmp_path) == found


def test_halves_of_surrogate_pairs_are_replaced(tmp_path: Path) -> None:
    write_record(tmp_path, record(summary="a \ud800 b", notes=["\ud83d\ude00"]))
    found = read_record(tmp_path)
    assert (found.summary, found.notes) == ("a \ufffd b", ["\N{GRINNING FACE}"])
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    (tmp_path / "run.json").write_text(text.replace("a \ufffd b", r"a \uD800 b"), encoding="utf-8")
    assert read_record(tmp_path) == found


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path: Path) -> None:
    write_record(tmp_path, record(measurements={"loss": math.nan, "steps": [1.0, -math.inf]}))
    assert read_record(tmp_path).measurements == {"loss": None, "steps": [1.0, None]}


VERSIONS = Path(__file__).with_name("versions")


def test_a_record_of_every_version_is_kept() -> None:
    assert [folder.name for folder in sorted(VERSIONS.iterdir())] == [f"v{n}" for n in range(1, SCHEMA_VERSION + 1)]


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_records_of_every_version_are_read(version: int, tmp_path: Path) -> None:
    (run,) = find_runs(VERSIONS / f"v{version}")
    assert run.record.schema_version == version
    assert (run.record.title, run.record.seed, run.record.predictions) == ("prior (power=1.0)", 3, 7)
    assert predictions_sha256(run.folder) == run.record.predictions_sha256
    labels = [prediction.label for prediction in read_predictions(run.folder).values()]
    assert labels == ["happiness", "no emotion", None, "anger", "no emotion", "sadness", "no emotion"]
    copy = export_run(run, tmp_path)
    assert json.loads((copy.folder / "run.json").read_text())["schema_version"] == SCHEMA_VERSION
    assert read_predictions(copy.folder).keys() == read_predictions(run.folder).keys()


def test_missing_record_and_missing_results(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match=r"must hold run\.json"):
        read_record(tmp_path)
    with pytest.raises(DataMissingError, match="the results folder must exist"):
        list(find_runs(tmp_path / "nowhere"))


def test_a_run_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    folders = []
    for seed in (0, 1):
        written = record(seed=seed)
        folders.append(run_folder(tmp_path, written))
        folders[-1].mkdir(parents=True)
        write_record(folders[-1], written)
    (folders[0] / "run.json").write_bytes(b"\xff")
    found = survey_runs(tmp_path)
    assert [run.folder for run in found.runs] == folders[1:]
    assert list(found.problems) == folders[:1]
    with pytest.raises(DataCorruptError, match=r"seed-0/run\.json must be JSON"):
        find_runs(tmp_path)


def test_find_runs_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for system in ("b", "a"):
        written = record(system=system)
        folder = run_folder(tmp_path, written)
        folder.mkdir(parents=True)
        write_record(folder, written)
    assert [run.record.system for run in find_runs(tmp_path)] == ["a", "b"]
