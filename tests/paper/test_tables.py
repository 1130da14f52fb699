from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erc_bench.board.published import published_results
from erc_bench.contract.domain import Dataset
from erc_bench.paper.build import build_paper
from erc_bench.paper.figures import figure_3, figure_4
from erc_bench.paper.measure import Measurements
from erc_bench.paper.model import Line, Table
from erc_bench.paper.published import paper_tables
from erc_bench.paper.render import fillers, records, render_markdown, stand_ins
from erc_bench.paper.tables import SEC, table_1, table_2, table_3, table_4, table_5
from erc_bench.protocols.rows import Score
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.running.import_predictions import check_name

if TYPE_CHECKING:
    from .conftest import MakeRun


def lines(table: Table, **wanted: str) -> list[Line]:
    return [line for line in table.lines if all(getattr(line, key).startswith(value) for key, value in wanted.items())]


def number(line: Line, column: str) -> float:
    value = line.measured[column]
    assert isinstance(value, Score)
    return value.value


def test_every_published_row_stands_in_table_2_once(sample: Dataset) -> None:
    table = table_2(Measurements(sample, []))
    for result in published_results("dailydialog"):
        found = [line for line in table.lines if line.name == f"{result.system} ({result.reference})"]
        assert len(found) == 1
        assert found[0].protocol == result.protocol
        cells = {key: float(value) for key, value in found[0].published.items()}
        values = {"macro_f1": result.macro_f1, "micro_f1": result.micro_f1, "mcc": result.mcc}
        assert cells == {key: value for key, value in values.items() if value is not None}


def test_without_runs_every_dash_says_what_would_fill_it(sample: Dataset) -> None:
    found = Measurements(sample, [])
    for table in (table_2(found), table_3(found), table_4(found), table_5(found), figure_3(found)):
        for line in table.lines:
            assert bool(line.measured) != bool(line.missing), (table.key, line)
    llama = lines(table_5(found), block="As published", name="Llama2-7b")[0]
    assert llama.missing == (
        "erc-bench run --system llama2-7b --set prompt=llama2-cue --set chat=false --set parser=released --targets last "
        "--dataset sample --seeds 0-9"
    )


def test_runs_fill_the_rows_they_stand_for(make_run: MakeRun, sample: Dataset) -> None:
    runs = [
        make_run("sentemocontext-released", embeds=True, wrong=2),
        make_run("sentemocontext", wrong=4),
        make_run("llama2-7b", targets="last", settings={"prompt": "llama2-cue", "chat": False, "parser": "released"}),
        make_run("COSMIC", evidence="predictions", wrong=5),
    ]
    found = Measurements(sample, runs)
    table = table_2(found)
    sec = lines(table, name=f"{SEC} (")[0]
    assert sec.protocol == "triplet"
    assert sec.measured_by == "sentemocontext-released, seed 0"
    honest = lines(table, block="Ours", name=f"{SEC}, as described", protocol="utterance")[0]
    scored = found.score(found.named("sentemocontext"), UTTERANCE)
    assert scored is not None
    assert honest.measured["micro_f1"] == scored.values["micro_f1"]
    assert lines(table, name="COSMIC")[0].measured_by == "COSMIC, seed 0"
    assert lines(table, name="Llama2-7b")[0].measured
    assert lines(table, name="Llama2-13b")[0].missing
    assert lines(table_5(found), block="As published", name="Llama2-7b")[0].measured


def test_measured_rows_stand_under_their_protocol_best_first(make_run: MakeRun, sample: Dataset) -> None:
    runs = [make_run("worse", wrong=2), make_run("better", wrong=9), make_run("last", targets="last", wrong=2)]
    found = Measurements(sample, runs)
    block = lines(table_2(found), block="Measured here, every utterance")
    assert [line.name for line in block if line.measured] == ["better", "worse"]
    assert all(line.measured for line in block[:2])
    block = lines(table_5(found), block="Measured here")
    assert {line.name for line in block} == {"better", "worse", "last (targets=last)"}


def test_triplet_rows_state_resamplings_and_seeds_apart(make_run: MakeRun, sample: Dataset) -> None:
    runs = [make_run("space", embeds=True, seed=seed, spread=seed + 1) for seed in (0, 1)]
    table = table_2(Measurements(sample, [*runs, make_run("alone", embeds=True)]))
    block = lines(table, block="Measured here, random triplets")
    scores = {line.name: line.measured["macro_f1"] for line in block if line.measured}
    space, alone = scores["space"], scores["alone"]
    assert isinstance(space, Score)
    assert isinstance(alone, Score)
    assert space.apart is not None
    assert alone.apart is None
    cell = next(record for record in records([table]) if record["row"] == "space" and record["protocol"] == "triplet")
    found = (cell["deviation_resamplings"], cell["deviation_seeds"])
    assert found == pytest.approx(space.apart, abs=1e-8)
    text = render_markdown([table], [], [])
    assert f" ± {space.apart[0]:.2f} / {space.apart[1]:.2f} |" in text
    assert "the first one is over the resamplings of one seed" in build_paper(sample, runs, tables=[2]).introduction[0]


def test_table_5_shows_a_configuration_once_that_also_labelled_last_turns_only(
    make_run: MakeRun, sample: Dataset
) -> None:
    runs = [
        make_run("both", config_hash="a" * 12),
        make_run("both", config_hash="b" * 12, targets="last"),
        make_run("other", targets="last", wrong=2),
    ]
    block = lines(table_5(Measurements(sample, runs)), block="Measured here")
    assert [line.name for line in block] == ["both", "other (targets=last)"]


def test_what_the_paper_compares_has_a_line_with_its_command_until_it_has_a_run(
    make_run: MakeRun, sample: Dataset
) -> None:
    blocks = ("Measured here, every utterance", "Measured here, random triplets")
    without = table_2(Measurements(sample, []))
    for block in blocks:
        commands = [line.missing for line in lines(without, block=block) if line.missing]
        assert commands == [
            "erc-bench run --system sentemocontext-mpnet --dataset sample --seeds 0-9",
            "erc-bench run --system sentemocontext-roberta --dataset sample --seeds 0-9",
            "erc-bench run --system isolated-linear --set vectors=PATH --dataset sample --seeds 0-9",
            "erc-bench run --system isolated-lstm --set vectors=PATH --dataset sample --seeds 0-9",
        ]
    runs = [
        make_run("sentemocontext-mpnet", embeds=True),
        make_run("isolated-linear", embeds=True, settings={"vectors": "wiki-news-300d-1M.vec"}),
    ]
    filled = table_2(Measurements(sample, runs))
    for block in blocks:
        names = [line.name for line in lines(filled, block=block) if line.missing]
        assert names == ["sentemocontext-roberta", "isolated-lstm (vectors=PATH)"]


def test_rows_of_the_literature_print_a_name_that_can_be_scored_and_is_found(
    make_run: MakeRun, sample: Dataset
) -> None:
    for line in table_2(Measurements(sample, [])).lines:
        if line.missing.startswith("erc-bench score FILE --name "):
            check_name(line.missing.split()[4])
    found = Measurements(sample, [make_run("Sentic-GAT", evidence="predictions")])
    assert lines(table_2(found), name="Sentic GAT")[0].measured_by == "Sentic-GAT, seed 0"


def test_a_row_in_which_another_configuration_stands_in_says_so(make_run: MakeRun, sample: Dataset) -> None:
    settings: dict[str, bool | str] = {"labels": "emotions"}
    runs = [make_run("minilm-classifier", settings=settings), make_run("sentemocontext-released", embeds=True)]
    found = Measurements(sample, runs)
    classifier = lines(table_4(found), block="As published", name="all-MiniLM-L6-v2")[0]
    wanted = "erc-bench run --system minilm-classifier --set labels=emotions --set fine_tune=true --dataset sample --seeds 0-9"
    assert classifier.measured
    assert classifier.missing == wanted
    table = table_4(found)
    assert ("minilm-classifier (labels=emotions), seed 0", wanted, ["all-MiniLM-L6-v2"]) in stand_ins(table)
    assert "all-MiniLM-L6-v2" not in [name for _, rows in fillers(table) for name in rows]
    text = render_markdown([table], [], [])
    assert (
        f"- all-MiniLM-L6-v2: minilm-classifier (labels=emotions), seed 0, until there is a run of `{wanted}`" in text
    )
    assert [rows for _, _, rows in stand_ins(table_3(found))] == [["Random triplets, as published"]]
    assert [rows for _, _, rows in stand_ins(figure_3(found))] == [["Released code, random triplets"]]

    runs += [
        make_run("minilm-classifier", settings=settings | {"fine_tune": True}, wrong=5),
        make_run("sentemocontext-released", embeds=True, settings={"trained": True}),
    ]
    found = Measurements(sample, runs)
    for table in (table_2(found), table_3(found), table_4(found), figure_3(found)):
        assert stand_ins(table) == []


def test_the_controls_always_stand_beside_triplet_rows(make_run: MakeRun, sample: Dataset) -> None:
    table = table_2(Measurements(sample, [make_run("space", embeds=True)]))
    names = [line.name for line in lines(table, block="Measured here, random triplets")]
    assert names[0] == "space"
    assert names[1] == "Gaussian noise"
    assert sum("one vector for all" in name for name in names) == 2


def test_table_3_and_figure_3_agree(make_run: MakeRun, sample: Dataset) -> None:
    found = Measurements(
        sample, [make_run("sentemocontext-released", embeds=True), make_run("sentemocontext", wrong=4)]
    )
    table, figure = table_3(found), figure_3(found)
    for protocol, heading in (("triplet", "Released code"), ("utterance", "System as described, every")):
        recalls = {line.name: number(line, "recall") for line in lines(table, protocol=protocol)}
        for line in lines(figure, block=heading):
            assert number(line, "diagonal") == number(line, line.name) == pytest.approx(recalls[line.name])
            shares = [number(line, name) for name in (*sample.labels.names, "unusable")]
            assert sum(shares) == pytest.approx(1 if sum(shares) else 0)
    published = {line.name: line.published["diagonal"] for line in lines(figure, block="Released code")}
    assert published == {label: cells["recall"] for label, cells in paper_tables().table_3.items()}


def test_table_4_puts_systems_on_the_same_utterances(make_run: MakeRun, sample: Dataset) -> None:
    counterpart = paper_tables().counterparts["all-MiniLM-L6-v2"]
    runs = [make_run(counterpart.system, settings=dict(counterpart.settings)), make_run("sentemocontext", wrong=4)]
    table = table_4(Measurements(sample, runs))
    same = lines(table, block="The same systems", protocol="emotional utterances")
    assert [line.name for line in same] == [f"{SEC}, as described"]
    classifier = lines(table, block="As published", name="all-MiniLM-L6-v2")[0]
    assert classifier.protocol == "emotional utterances"
    assert classifier.measured


def test_table_1_of_the_sample(sample: Dataset) -> None:
    lengths = [len(d) for split in (sample.train, sample.validation, sample.test) for d in split]
    measured = {line.name: line.measured.get("value") for line in table_1(sample).lines}
    assert measured == {
        "Language": None,
        "Max Msg/Conv": str(max(lengths)),
        "Avg Msg/Conv": f"{sum(lengths) / len(lengths):.2f}",
        "Labels": "7",
        "Emotion Labels": "6",
        "Nb. Conv.": str(len(lengths)),
    }


@pytest.mark.data
def test_the_dataset_fills_table_1_and_figure_4_as_published(dailydialog: Dataset) -> None:
    measured = {line.name: line.measured.get("value") for line in table_1(dailydialog).lines}
    assert measured["Max Msg/Conv"] == "35"
    assert measured["Avg Msg/Conv"] == "7.85"
    assert measured["Nb. Conv."] == "13,118"
    counts = {
        line.name: [number(line, label) for label in dailydialog.labels.emotions]
        for line in figure_4(dailydialog).lines
    }
    assert counts == {
        "train": [827, 303, 146, 11182, 969, 1600],
        "validation": [77, 3, 11, 684, 79, 107],
        "test": [118, 47, 17, 1019, 102, 116],
    }
