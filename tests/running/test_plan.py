from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.contract.system import NoConfig
from erc_bench.data import dataset_spec
from erc_bench.errors import PlanError, UsageError
from erc_bench.records.record import find_runs
from erc_bench.running.plan import parse_seeds, read_plan
from erc_bench.running.request import RunRequest, new_record
from erc_bench.systems.floors import Lookup

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"

PLAN = """
dataset = ["sample", "dailydialog"]
seeds = "0-1"

[[runs]]
system = ["lookup", "prior"]

[[runs]]
system = "sentemocontext"
dataset = "sample"
settings = { context = ["past", "dialogue"], epochs = 1 }
seeds = [3, "5-6"]
withhold = ["", "fear"]

[[runs]]
system = "prior"
targets = ["last", "all"]
dataset = "sample"
seeds = 0
"""


def planned(tmp_path: Path, text: str) -> list[tuple[str, str, int]]:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return [(run.dataset, run.title, run.seed) for run in read_plan(path)]


def test_every_combination_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    runs = planned(tmp_path, PLAN)
    assert runs[:4] == [(name, "lookup", seed) for name in ("sample", "dailydialog") for seed in (0, 1)]
    assert runs[8:12] == [
        ("sample", "sentemocontext (context=past, epochs=1)", 3),
        ("sample", "sentemocontext (context=past, epochs=1)", 5),
        ("sample", "sentemocontext (context=past, epochs=1)", 6),
        ("sample", "sentemocontext (context=past, epochs=1, without fear)", 3),
    ]
    assert runs[20:] == [("sample", "prior (targets=last)", 0)], "prior on sample with seed 0 stood there already"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs = 3", r"plan.toml: runs must be a list of tables"),
        ("", r"plan.toml: runs must be a list of tables.*got None"),
        ("[[runs]", r"plan.toml must be TOML"),
        ("[[runs]]\nseeds = 1", r"plan.toml: \[\[runs\]\] number 1 must name a system"),
        ('[[runs]]\nsystem = "prior"\nsystme = "x"', r"number 1: a key must be one of system, .*got 'systme'"),
        ('sets = 1\n[[runs]]\nsystem = "prior"', r"plan.toml: a key must be one of dataset, .*got 'sets'"),
        ('[[runs]]\nsystem = "prior"\n[[runs]]\nsystem = "prio"', r"number 2, system: .*Did you mean 'prior'"),
        ('[[runs]]\nsystem = "constant"\nsettings = { lable = "x" }', r"number 1, settings: .*Did you mean 'label'"),
        ('[[runs]]\nsystem = "constant"\nsettings = 3', r"number 1, settings must be a table"),
        ('[[runs]]\nsystem = "prior"\nseeds = "1-"', r"number 1, seeds: seeds must be A-B"),
        ('[[runs]]\nsystem = "prior"\nseeds = 1.5', r"number 1, seeds must be a number, A-B, or a list"),
        ('[[runs]]\nsystem = "prior"\nseeds = []', r"number 1, seeds must name at least one seed"),
        ('[[runs]]\nsystem = "prior"\ntargets = "first"', r"number 1, targets must be all or last, got 'first'"),
        ('[[runs]]\nsystem = "prior"\ndataset = 3', r"number 1, dataset must be a text or a list of texts"),
        ('[[runs]]\nsystem = "prior"\nwithhold = []', r"number 1, withhold must be a text"),
        ('[[runs]]\nsystem = "prior"\ntrain_subset = "novell"', r"number 1, train_subset: .*Did you mean 'novel'"),
    ],
)
def test_an_error_names_the_file_and_the_key(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=message) as caught:
        planned(tmp_path, text)
    assert caught.value.exit_code == 2


def test_what_is_trained_on_the_corpus_itself_is_an_ordinary_run(tmp_path: Path) -> None:
    text = 'dataset = ["meld", "emorynlp"]\n[[runs]]\nsystem = "lookup"\ntrain_on = ["", "meld", "dailydialog"]\n'
    assert planned(tmp_path, text) == [
        ("meld", "lookup", 0),
        ("meld", "lookup (trained on dailydialog)", 0),
        ("emorynlp", "lookup", 0),
        ("emorynlp", "lookup (trained on meld)", 0),
        ("emorynlp", "lookup (trained on dailydialog)", 0),
    ]


def test_the_hash_of_a_run_has_the_other_corpus_and_how_its_labels_read(tmp_path: Path, sample: Dataset) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[[runs]]\nsystem = "lookup"\ndataset = "sample"\ntrain_on = ["", "meld", "emorynlp"]\n')
    ordinary, meld, emorynlp = (run.config_hash() for run in read_plan(path))
    assert len({ordinary, meld, emorynlp}) == 3
    request = RunRequest(Lookup, NoConfig(), sample, tmp_path)
    assert ordinary == new_record(request).config_hash
    other = replace(sample, name="meld", labels=dataset_spec("meld").labels, train=(), validation=(), test=())
    other = replace(other, common_labels=dataset_spec("meld").common_labels)
    assert meld == new_record(replace(request, train_on=other)).config_hash


def test_a_training_subset_is_another_run(tmp_path: Path, sample: Dataset) -> None:
    text = '[[runs]]\nsystem = "lookup"\ndataset = "sample"\ntrain_subset = ["all", "novel", "all"]\n'
    assert planned(tmp_path, text) == [("sample", "lookup", 0), ("sample", "lookup (train_subset=novel)", 0)]
    whole, part = (run.config_hash() for run in read_plan(tmp_path / "plan.toml"))
    request = RunRequest(Lookup, NoConfig(), sample, tmp_path)
    assert whole == new_record(request).config_hash
    assert part == new_record(replace(request, train_subset="novel")).config_hash


def test_a_plan_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="must be a file that can be read"):
        read_plan(tmp_path / "none.toml")


@pytest.mark.parametrize("text", ["3-1", "x", "0-1000", "-1", "1-2-3", ""])
def test_seeds_are_few_and_in_order(text: str) -> None:
    with pytest.raises(UsageError, match="seeds must be A-B"):
        parse_seeds(text)


def test_the_plan_of_the_committed_board_remakes_its_records() -> None:
    """A record that joins the board joins the plan as well."""
    runs = read_plan(LEADERBOARD / "plan.toml")
    committed = [run.record for run in find_runs(LEADERBOARD)]
    planned = Counter((run.dataset, run.system.info.name, run.config_hash(), run.seed) for run in runs)
    there = Counter((r.dataset, r.system, r.config_hash, r.seed) for r in committed if r.evidence == "measured")
    assert planned - there == Counter(), "planned and not committed"
    assert there - planned == Counter(), "committed and not planned"


def test_a_number_of_thousands_of_digits_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(f"seeds = {'9' * 5000}\n")
    with pytest.raises(PlanError, match="must be TOML, got"):
        read_plan(path)
