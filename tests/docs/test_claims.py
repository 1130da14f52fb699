"""What README and docs conclude from the committed runs, recomputed from their records.

A sentence that fails here no longer follows: rewrite it, with the numbers that the message gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from erc_bench.board.contrasts import Answer, answered, read_contrasts
from erc_bench.board.model import ranked
from erc_bench.board.words import p_text, signed
from erc_bench.contract.domain import Dataset
from erc_bench.inspection.compare import compare_sides, find_sides
from erc_bench.inspection.power import plan
from erc_bench.protocols.rows import Row, Section
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import SUBSETS
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.records.groups import group_runs, without_twins
from erc_bench.records.record import find_runs
from erc_bench.scoring.catalogue import MICRO_F1
from erc_bench.scoring.metrics import scores
from erc_bench.scoring.significance import ALPHA, compare

REPOSITORY = Path(__file__).resolve().parents[2]
COMMITTED = REPOSITORY / "leaderboard"
NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
TRAINING_CHANGED = "2026-11-24T04:05:27+00:00"  # when another order of random numbers trained `sentemocontext`
MustSay = Callable[..., None]
SEC, CLASSIFIER, NGRAMS, LOOKUP = "sentemocontext", "minilm-classifier", "tfidf-logreg", "lookup"
TUNED = "dialogue-encoder"
TUNED_CLASSIFIER = "minilm-classifier (fine_tune=true)"
RAW = "raw-encoder"


@dataclass
class Committed:
    """The rows of the committed runs on all utterances, the answers to the questions (on all dialogues, and on those without a
    near twin), micro F1 by subset and title."""

    rows: tuple[Row, ...]
    answers: Mapping[tuple[str, str], Answer]
    novel: Mapping[tuple[str, str], Answer]
    section: Section
    score: Callable[[str, str], str]
    annotators: Row

    @property
    def systems(self) -> list[Row]:
        """The rows that have a rank, best first."""
        return [row for row in self.rows if row.rank]

    @property
    def first(self) -> list[Row]:
        """Those that no other system is shown to be better than: their rank begins at 1."""
        return [row for row in self.systems if row.rank.split("-")[0] == "1"]


@pytest.fixture(scope="module")
def committed(dailydialog: Dataset) -> Committed:
    kept, _ = without_twins(group_runs(find_runs(COMMITTED)))
    runs = DatasetRuns.of(dailydialog, kept)
    contrasts = read_contrasts()
    unranked = contrasts.without_rank(dailydialog.name, runs.rows)
    section, novel = (ranked(each, MICRO_F1, unranked) for each in UTTERANCE.sections(runs, ("all", "novel")))
    answers = answered(contrasts, dailydialog.name, [section, novel], runs.rows, MICRO_F1)
    groups = {named.title: named.group for named in runs.rows}

    def score(subset: str, title: str) -> str:
        part = UTTERANCE.view(dailydialog, SUBSETS[subset])
        by_seed = [run.sum(axis=0) for run in runs.confusions(part, groups[title])]
        return f"{sum(float(scores(run, dailydialog.labels)['micro_f1']) for run in by_seed) / len(by_seed):.2f}"

    single = DatasetRuns(dailydialog, [named for named in runs.rows if named.title == LOOKUP])
    (twice,) = UTTERANCE.sections(single, ("annotated-twice",))
    by_rows, of_novel = (
        {(each.contrast.a, each.contrast.b): each for each in answers if each.contrast.subset == subset}
        for subset in ("all", "novel")
    )
    return Committed(section.rows, by_rows, of_novel, section, score, twice.rows[0])


def effect(answer: Answer) -> str:
    found = answer.comparison
    assert found is not None
    return f"[{signed(MICRO_F1, found.interval.low)}, {signed(MICRO_F1, found.interval.high)}]"


def difference(committed: Committed, a: str, b: str) -> str:
    """A minus B with its interval, without a correction for other questions."""
    found = compare(committed.section.estimates[a], committed.section.estimates[b], MICRO_F1)
    value, low, high = (signed(MICRO_F1, n) for n in (found.difference, found.interval.low, found.interval.high))
    return f"{value} [{low}, {high}]"


def p_values(answer: Answer) -> tuple[float, float]:
    assert answer.comparison is not None
    assert answer.corrected is not None
    return answer.comparison.p_value, answer.corrected


@pytest.mark.data
def test_who_shares_the_first_rank_and_what_that_means(committed: Committed, must_say: MustSay) -> None:
    systems, first = committed.systems, committed.first
    shown = [(row.title, row.rank) for row in systems]
    assert first == systems[: len(first)], f"those that may be the best are not the first ones: {shown}"
    assert {row.title for row in first} == {TUNED, f"{TUNED} (context=past)"}, shown
    must_say(
        "README.md",
        f"**`{TUNED}` is shown to be better than every other system but one**, its own form that reads the past only",
    )
    (sec_from, sec_to), (ngrams_from, ngrams_to) = (
        map(int, row.rank.split("-")) for row in systems if row.title in (SEC, NGRAMS)
    )
    assert max(sec_from, ngrams_from) <= min(sec_to, ngrams_to), (
        f"README and docs/reproduction.md say that the system of the paper and n-grams share a rank: {shown}"
    )


@pytest.mark.data
def test_what_fine_tuning_and_its_context_give(committed: Committed, must_say: MustSay) -> None:
    def told(answer: Answer) -> str:
        found = answer.comparison
        assert found is not None
        return f"{signed(MICRO_F1, found.difference)} {effect(answer)}"

    alone = f"{TUNED} (context=utterance)"
    pairs = {
        "paper": (TUNED, SEC),
        "n-grams": (TUNED, NGRAMS),
        "dialogue": (TUNED, alone),
        "past": (f"{TUNED} (context=past)", alone),
        "tuning": (alone, CLASSIFIER),
    }
    found = {name: committed.answers[pair] for name, pair in pairs.items()}
    assert max(p_values(answer)[1] for answer in found.values()) < 0.05, "all of them are called shown"
    novel = {name: committed.novel[pairs[name]] for name in ("paper", "n-grams")}
    assert max(p_values(answer)[1] for answer in novel.values()) < 0.001
    paper, ngrams, dialogue, past, tuning = (told(answer) for answer in found.values())
    novel_paper, novel_ngrams = (told(answer) for answer in novel.values())
    must_say(
        "README.md",
        f"Against the system of the paper it scores {paper} micro F1, against n-grams {ngrams}; on the dialogues without a near "
        f"twin in train {novel_paper} and {novel_ngrams}, all with p < 0.001 corrected.",
        f"Context is worth {dialogue} to it, the past alone {past}. Its form without context is {tuning} above the classifier on "
        "frozen embeddings, from which it differs in recipe, pooling and head as well: fine-tuning alone is "
        f"{difference(committed, TUNED_CLASSIFIER, CLASSIFIER)} for that classifier, which shows nothing",
    )
    must_say(
        "docs/fine-tuning.md",
        f"is {difference(committed, TUNED_CLASSIFIER, CLASSIFIER)} on DailyDialog, which shows nothing, and this system is "
        f"{difference(committed, alone, TUNED_CLASSIFIER)} above it when both are fine-tuned on single utterances",
    )


@pytest.mark.data
def test_the_contrast_of_the_paper(committed: Committed, must_say: MustSay) -> None:
    answer = committed.answers[SEC, CLASSIFIER]
    assert answer.comparison is not None
    difference, (p, corrected) = answer.comparison.difference, p_values(answer)
    must_say(
        "README.md",
        "**That the system of the paper is better than a classifier of single utterances is not shown**: "
        f"+{difference:.2f} micro F1 {effect(answer)}, p = {p:.3f} for this one question, {corrected:.3f} corrected for the "
        "others about the paper.",
    )
    must_say(
        "docs/reproduction.md",
        f"the system as described is {difference:.2f} micro F1 above it {effect(answer)}: p = {p:.3f} for this one question, "
        f"and {corrected:.3f} corrected for the others about the paper.",
    )
    must_say(
        "docs/protocols-and-metrics.md",
        f"the answer on DailyDialog is +{difference:.2f} micro F1 {effect(answer)}, *p* = {p:.3f}",
        "Corrected for the other questions about the paper either is above 0.05",
    )
    assert ALPHA < p < corrected, f"README and docs say that no gain is shown, got {p} and {corrected}"


@pytest.mark.data
@pytest.mark.parametrize(
    ("twin", "what"),
    [("sentemocontext (context=utterance)", "context"), ("sentemocontext (triplet_weight=0.0)", "the triplet loss")],
)
def test_what_context_and_triplets_add_is_told_once_it_was_run(
    committed: Committed, twin: str, what: str, must_say: MustSay
) -> None:
    answer = committed.answers[SEC, twin]
    if answer.comparison is None:
        must_say("docs/reproduction.md", "are contrasts of their own among the [planned contrasts]")
        return
    p, corrected = p_values(answer)
    sentence = (
        f"Against itself without {what} the system of the paper scores {signed(MICRO_F1, answer.comparison.difference)} micro F1 "
        f"{effect(answer)}, p = {p_text(p)} ({p_text(corrected)} corrected)."
    )
    must_say("README.md", sentence)
    must_say("docs/reproduction.md", sentence)
    assert (corrected < ALPHA) is (what == "context"), "README and docs call one shown, and the other not"
    assert (p < ALPHA) is (what == "context")


@pytest.mark.data
def test_what_else_sentemocontext_is_made_of(committed: Committed, must_say: MustSay) -> None:
    said = []
    for setting, what in (("pretrain_epochs=0", "its pre-training"), ("decision=argmax", "the decision offset")):
        twin = f"{SEC} ({setting})"
        assert committed.section.estimates[twin].seeds == committed.section.estimates[SEC].seeds == 10
        said.append(f"without {what} {difference(committed, SEC, twin)}")
    must_say(
        "README.md",
        f"`sentemocontext` itself is, against its form {said[0]} and {said[1]}: to it the offset, chosen on validation, "
        "rather costs something.",
    )
    offset = compare(
        committed.section.estimates[SEC], committed.section.estimates[f"{SEC} (decision=argmax)"], MICRO_F1
    )
    assert offset.interval.high < 0


@pytest.mark.data
def test_the_system_of_the_paper_and_n_grams(committed: Committed, must_say: MustSay) -> None:
    answer = committed.answers[SEC, NGRAMS]
    assert answer.comparison is not None
    must_say(
        "README.md",
        f"A linear model of n-grams is {answer.comparison.difference:.2f} below it {effect(answer)}, "
        f"p = {answer.comparison.p_value:.3f}.",
    )


@pytest.mark.data
def test_who_is_better_than_every_floor(committed: Committed, must_say: MustSay) -> None:
    above = [row.title for row in committed.systems if row.above_floors]
    first = [row.title for row in committed.systems[: len(above)]]
    assert above == first, f"README says that the first ones and no others are above: {above}"
    floors = [row.title for row in committed.rows if row.floor]
    best = [f"{RAW} (encoder=mpnet)", RAW, LOOKUP]
    assert floors[:3] == best, f"README calls the raw encoders and lookup the best floors, got {floors}"
    must_say(
        "README.md",
        f"**The first {NUMBERS[len(above)]} that have a rank are better than every floor, and no other of these is shown to "
        "be.** The best floors are "
        f"the frozen encoders with the nearest class mean: {committed.score('all', best[0])} with mpnet, "
        f"{committed.score('all', RAW)} with MiniLM. `lookup` answers with the training "
        f"label of the same text: {committed.score('all', LOOKUP)}.",
    )


@pytest.mark.data
def test_scores_without_near_twins(committed: Committed, must_say: MustSay) -> None:
    happy, score = "constant (label=happiness)", committed.score
    must_say(
        "README.md",
        f"(`novel`) it falls to {score('novel', LOOKUP)}, below always answering *happiness* ({score('novel', happy)}), while "
        f"`sentemocontext` keeps {score('novel', SEC)}, `tfidf-logreg` {score('novel', NGRAMS)} and `minilm-classifier` "
        f"{score('novel', CLASSIFIER)}.",
    )
    assert float(score("novel", LOOKUP)) < float(score("novel", happy))
    part = ("all", "not-verbatim", "novel")
    from_to = [[score(subset, title) for subset in part] for title in (LOOKUP, happy)]
    must_say(
        "docs/protocols-and-metrics.md",
        f"goes from {from_to[0][0]} micro F1 on `all` over {from_to[0][1]} on `not-verbatim` to {from_to[0][2]} on `novel`",
        f"goes from {from_to[1][0]} over {from_to[1][1]} to {from_to[1][2]}",
    )


@pytest.mark.data
def test_the_second_annotation(committed: Committed, must_say: MustSay) -> None:
    found = {name: score.value for name, score in committed.annotators.scores.items()}
    micro = committed.annotators.scores["micro_f1"]
    sec, ngrams = (committed.score("annotated-twice", title) for title in (SEC, NGRAMS))
    assert micro.low is not None
    assert micro.low < min(float(sec), float(ngrams)), "README says that annotators are not shown to agree better"
    must_say(
        "README.md",
        f"second annotation, which scores {found['micro_f1']:.2f} micro F1 [{micro.low:.2f}, {micro.high:.2f}]; "
        f"`sentemocontext` has {sec} and `tfidf-logreg` "
        f"{ngrams} on them",
    )
    must_say(
        "docs/protocols-and-metrics.md",
        f"{found['micro_f1']:.2f} micro F1, {found['macro_f1']:.2f} macro F1 and an MCC of {found['mcc']:.3f}",
        f"agree with the test labels on {found['accuracy']:.1f}% of the utterances",
        f"so that {sec} for `sentemocontext` and {ngrams} for `tfidf-logreg` do not say",
    )


@pytest.mark.data
def test_the_row_with_the_settings_of_the_paper(committed: Committed, must_say: MustSay) -> None:
    (row,) = [row for row in committed.systems if row.title == "sentemocontext-paper"]
    assert row.seeds == 10
    calibrated = f"{row.title} (decision=calibrated)"
    must_say(
        "README.md",
        f"**With all its departures from the paper's text set back the system scores {committed.score('all', row.title)}**",
        f"with the decision offset that the other rows have it scores {committed.score('all', calibrated)} "
        f"(five seeds, {difference(committed, calibrated, row.title)})",
    )


@pytest.mark.data
def test_what_single_departures_give(committed: Committed, must_say: MustSay) -> None:
    estimates, said = committed.section.estimates, []
    powers, weight = "sampler_power=1.0, weight_power=1.0", "triplet_weight=1.0"
    unseen = ("triplets=all", "weights_from=batch", "keep=last")
    for setting in (powers, weight, "positions=false", "speakers=false", *unseen):
        found = compare(estimates[SEC], estimates[f"{SEC} ({setting})"], MICRO_F1)
        assert setting not in unseen or found.p_value > ALPHA
        said.append(f"{found.difference:.2f} [{', '.join(signed(MICRO_F1, limit) for limit in found.interval)}]")
    must_say(
        "README.md",
        f"Sampler and class weights at the paper's inverse label frequencies alone cost {said[0]}, a triplet loss as heavy as "
        f"the cross-entropy {said[1]}; without codes of the turn it scores {said[2].replace(' ', ' less ', 1)}, without "
        f"vectors of the speakers {said[3]}, neither of which is shown to matter",
        "Which triplets, whose label frequencies and which epoch make no difference in micro F1 that is shown",
    )


@pytest.mark.data
def test_what_faster_training_costs(committed: Committed, must_say: MustSay) -> None:
    (faster,) = [row.title for row in committed.rows if "arithmetic=bf16" in row.title]
    assert compare(committed.section.estimates[faster], committed.section.estimates[SEC], MICRO_F1).p_value > ALPHA
    must_say("docs/performance.md", f"{difference(committed, faster, SEC)} micro F1, not shown to be a difference")


@pytest.mark.data
def test_where_context_helps(dailydialog: Dataset, must_say: MustSay) -> None:
    sides = find_sides(COMMITTED, (SEC, f"{SEC} (context=utterance)"), dailydialog.name)
    pair = compare_sides(*sides, dailydialog, protocol="utterance", by="shift")
    said = {}
    for part in pair.parts:
        found = part.comparison
        value, low, high = (signed(MICRO_F1, n) for n in (found.difference, found.interval.low, found.interval.high))
        said[part.group] = (f"{value} [{low}, {high}]", part.p_corrected)
    (continues, p_continues), (shifts, p_shifts) = said["continues"], said["shifts"]
    assert p_continues < 0.001
    assert p_shifts > ALPHA
    must_say(
        "docs/protocols-and-metrics.md",
        f"against itself without context is {continues} there (corrected *p* < .001), and {shifts} where it shifts, which shows "
        "nothing.",
    )


def test_rows_that_differ_in_a_setting_were_trained_by_one_version_of_the_code() -> None:
    runs = [run for run in find_runs(COMMITTED) if run.record.system in (SEC, f"{SEC}-paper", f"{SEC}-mpnet")]
    older = {run.record.title for run in runs if run.record.started < TRAINING_CHANGED}
    assert older == set(), "README says that one version of the training made these rows"


@pytest.mark.data
def test_how_many_dialogues_the_contrast_of_the_paper_takes(dailydialog: Dataset, must_say: MustSay) -> None:
    (need,) = plan(dailydialog, COMMITTED, 1.5, names=(SEC, CLASSIFIER)).needs
    assert need.seeds == (10, 10)
    assert need.by_seeds[3] is None
    assert need.seeds_needed is None
    must_say(
        "docs/protocols-and-metrics.md",
        f"difference of 1.5 is found in {need.power:.0%} of cases, and would need {need.dialogues_needed:,} dialogues; with "
        "three seeds no number of dialogues suffices, and on 1,000 dialogues no number of seeds.",
    )


def test_settings_that_decide_after_training_left_the_same_networks() -> None:
    """Where the same epoch was kept: the embeddings have the same bits, so that nothing else differs between these rows."""
    titles = [SEC, f"{SEC} (keep=last)", f"{SEC} (decision=argmax)"]
    found: dict[tuple[str, int], tuple[int, str]] = {}
    for run in find_runs(COMMITTED):
        if run.record.dataset == "dailydialog" and run.record.title in titles and not run.record.withheld:
            evidence = json.loads((run.folder / "triplets.json").read_text("utf-8"))
            kept = int(run.record.measurements["best_epoch"])
            found.setdefault((run.record.title, run.record.seed), (kept, evidence["embeddings_sha256"]))
    alike = [
        (found[titles[0], seed], found[title, seed])
        for title, seed in found
        if title != SEC and found[title, seed][0] == found[titles[0], seed][0]
    ]
    assert len(alike) >= 10
    assert all(one == other for one, other in alike)
