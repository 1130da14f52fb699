"""What README and docs conclude from the committed runs on MELD and EmoryNLP, recomputed from their records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from erc_bench.board.contrasts import answered, read_contrasts
from erc_bench.board.model import ranked
from erc_bench.board.words import signed
from erc_bench.contract.domain import Dataset
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs, without_twins
from erc_bench.records.record import find_runs
from erc_bench.scoring.catalogue import find_metric
from erc_bench.scoring.significance import ALPHA, compare

COMMITTED = Path(__file__).resolve().parents[2] / "leaderboard"
SEC, CLASSIFIER, TUNED = "sentemocontext", "minilm-classifier", "dialogue-encoder"
MustSay = Callable[..., None]


@pytest.mark.data
def test_no_gain_from_context_is_shown_on_the_other_corpora(
    meld: Dataset, emorynlp: Dataset, must_say: MustSay
) -> None:
    said, weighted = [], find_metric("weighted_f1_all")
    for dataset in (meld, emorynlp):
        titles = (SEC, f"{SEC} (context=utterance)")
        every = DatasetRuns.of(dataset, group_runs(find_runs(COMMITTED)))
        runs = DatasetRuns(dataset, [named for named in every.rows if named.title in titles])
        estimates = UTTERANCE.sections(runs, ("all",))[0].estimates
        found = compare(estimates[titles[0]], estimates[titles[1]], weighted)
        low, high = (signed(weighted, limit) for limit in found.interval)
        assert found.interval.low < 0 < found.interval.high
        said.append((f"{signed(weighted, found.difference)}", f"[{low}, {high}]", f"{found.detectable:.2f}"))
    (one, of_one, finds_one), (other, of_other, finds_other) = said
    must_say(
        "README.md",
        f"is {one} weighted F1 {of_one} on MELD and {other} {of_other} on EmoryNLP",
        f"finds in 80% of test sets are {finds_one} and {finds_other}.",
    )


@pytest.mark.data
def test_what_context_and_fine_tuning_give_on_the_other_corpora(
    meld: Dataset, emorynlp: Dataset, must_say: MustSay
) -> None:
    weighted = find_metric("weighted_f1_all")
    found: dict[tuple[str, str, str], Any] = {}
    for dataset in (meld, emorynlp):
        every = DatasetRuns.of(dataset, group_runs(find_runs(COMMITTED)))
        for answer in answered(
            read_contrasts(), dataset.name, UTTERANCE.sections(every, ("all",)), every.rows, weighted
        ):
            found[dataset.name, answer.contrast.a, answer.contrast.b] = answer

    def told(corpus: str, a: str, b: str) -> str:
        one = found[corpus, a, b].comparison
        assert one is not None
        value, low, high = (signed(weighted, n) for n in (one.difference, one.interval.low, one.interval.high))
        return f"{value} [{low}, {high}]"

    alone = f"{TUNED} (context=utterance)"
    for corpus in ("meld", "emorynlp"):
        assert found[corpus, TUNED, alone].comparison.p_value < 0.05 < found[corpus, TUNED, alone].corrected
    assert found["meld", alone, CLASSIFIER].corrected < 0.001
    must_say(
        "README.md",
        f"reading the whole dialogue costs it {told('meld', TUNED, alone)} on MELD and {told('emorynlp', TUNED, alone)} on "
        "EmoryNLP, neither beyond doubt corrected",
        f"without context {told('meld', alone, CLASSIFIER)} over the classifier on frozen embeddings, p < 0.001 corrected; on "
        f"EmoryNLP {told('emorynlp', alone, CLASSIFIER)} shows nothing",
    )


@pytest.mark.data
def test_what_fine_tuning_the_classifier_gives_on_the_other_corpora(
    meld: Dataset, emorynlp: Dataset, must_say: MustSay
) -> None:
    weighted, said, shown = find_metric("weighted_f1_all"), [], []
    for dataset in (meld, emorynlp):
        every = DatasetRuns.of(dataset, group_runs(find_runs(COMMITTED)))
        estimates = UTTERANCE.sections(every, ("all",))[0].estimates
        found = compare(estimates[f"{CLASSIFIER} (fine_tune=true)"], estimates[CLASSIFIER], weighted)
        value, low, high = (signed(weighted, n) for n in (found.difference, *found.interval))
        said.append(f"{value} [{low}, {high}]")
        shown.append(found.p_value < ALPHA)
    assert shown == [True, False], said
    must_say(
        "README.md",
        f"Fine-tuning the classifier itself gives {said[0]} on MELD (five seeds each, not corrected for other questions) and "
        f"{said[1]} on EmoryNLP, which shows nothing there.",
    )


@pytest.mark.data
def test_who_is_better_than_every_floor_on_the_other_corpora(
    meld: Dataset, emorynlp: Dataset, must_say: MustSay
) -> None:
    weighted, above = find_metric("weighted_f1_all"), {}
    for dataset in (meld, emorynlp):
        kept, _ = without_twins(group_runs(find_runs(COMMITTED)))
        section = ranked(UTTERANCE.sections(DatasetRuns.of(dataset, kept), ("all",))[0], weighted, {})
        above[dataset.name] = [row.title for row in section.rows if row.above_floors]
    assert above["emorynlp"] == [], "README says that none is"
    *others, last = (f"`{title}`" for title in above["meld"])
    must_say(
        "README.md",
        f"on MELD only {', '.join(others)} and {last} are shown to be better than every floor, on EmoryNLP no system is.",
    )


@pytest.mark.data
def test_what_parts_of_sentemocontext_give_on_the_other_corpora(
    meld: Dataset, emorynlp: Dataset, must_say: MustSay
) -> None:
    weighted, said = find_metric("weighted_f1_all"), []
    parts = ("decision=argmax", "triplet_weight=0.0", "pretrain_epochs=0")
    for dataset in (meld, emorynlp):
        every = DatasetRuns.of(dataset, group_runs(find_runs(COMMITTED)))
        estimates = UTTERANCE.sections(every, ("all",))[0].estimates
        for part in parts:
            found = compare(estimates[SEC], estimates[f"{SEC} ({part})"], weighted)
            assert found.p_value > ALPHA
            value, low, high = (signed(weighted, n) for n in (found.difference, *found.interval))
            said.append(f"{value.replace('+0.00', '0.00')} [{low}, {high}]")
    must_say(
        "docs/datasets.md",
        f"`sentemocontext` by {said[0]} weighted F1 on MELD and {said[3]} on EmoryNLP.",
        f"with the triplet loss it has {said[1]} more weighted F1 on MELD and {said[4]} on EmoryNLP, with pre-training {said[2]} "
        f"and {said[5]} (five seeds each).",
    )
