"""Every command on corpora of every kind: many speakers, no neutral label, JSON lines and CSV, and the real ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from erc_bench.cli import cli
from erc_bench.contract.domain import Dataset
from erc_bench.data import load_dataset
from erc_bench.data.skeleton import write_skeleton

SYSTEMS = ("constant", "prior", "lookup", "tfidf-logreg")


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def as_csv(folder: Path) -> None:
    """Turn the skeleton's files into CSV with columns of other names, and leave the neutral label out."""
    for path in folder.glob("*.jsonl"):
        with path.with_suffix(".csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Scene", "Who", "Says", "Feels"])
            for line in path.read_text().splitlines():
                record = json.loads(line)
                writer.writerows((record["id"], u["speaker"], u["text"], u["label"]) for u in record["utterances"])
        path.unlink()
    settings = folder / "dataset.toml"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("neutral")]
    columns = ["[columns]", 'dialogue = "Scene"', 'speaker = "Who"', 'text = "Says"', 'label = "Feels"']
    settings.write_text("\n".join([*lines, *columns]))


def follow_every_command(name: str | Path, dataset: Dataset, folder: Path) -> None:
    """What a user does with a corpus, from the first run to the board, with every command that reads it."""
    results = folder / "results"
    common = ("--results-dir", results)
    for system in SYSTEMS:
        run("run", "--system", system, "--dataset", name, *common)
    answers = folder / "answers.csv"
    targets = [target for dialogue in dataset.test for target in dialogue.targets()]
    rows = [f"{dialogue},{turn},{dataset.labels.names[0]}" for dialogue, turn in targets]
    answers.write_text("\n".join(["dialogue,turn,label", *rows]))
    run("score", answers, "--name", "elsewhere", "--dataset", name, *common)
    board = run("leaderboard", "--dataset", name, "--format", "md,csv,html,latex", *common)
    assert all(system in board for system in (*SYSTEMS, "elsewhere"))
    assert "utterance" in run("compare", "tfidf-logreg", "constant", "--dataset", name, *common)
    shown = run("show", "tfidf-logreg", "--dataset", name, "--limit", "1", *common)
    assert dataset.test[0].utterances[0].speaker in shown
    run("verify", *common)
    complete = next(results.glob(f"{dataset.name}/lookup/*/seed-0"))
    run("export", complete, "--to", folder / "exported")
    assert dataset.name in run("data", "list")
    run("data", "verify", name)
    run("data", "audit", name)
    assert "sample" in run("data", "audit", name, "--against", "sample")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json lines", "csv without neutral"])
def test_a_corpus_of_ones_own(form: str, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_skeleton(folder)
    if form != "json lines":
        as_csv(folder)
    dataset = load_dataset(str(folder))
    assert (dataset.labels.neutral is None) == (form != "json lines")
    follow_every_command(folder, dataset, tmp_path)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("corpus", ["meld", "emorynlp"])
def test_a_real_corpus(corpus: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    follow_every_command(corpus, request.getfixturevalue(corpus), tmp_path)
