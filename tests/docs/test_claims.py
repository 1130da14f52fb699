"""What README and docs conclude from the committed runs, recomputed from their records.

A sentence that fails here no longer follows: rewrite it, with the numbers that the message gives.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

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
from erc_bench.scoring.catalogue import MICRO_F1, find_metric
from erc_bench.scoring.metrics import scores
from erc_bench.scoring.significance import ALPHA, compare

REPOSITORY = Path(__file__).resolve().parents[2]
COMMITTED = REPOSITORY / "leaderboard"
NUMBERS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
AGAIN = (
    "Make the board again: erc-bench leaderboard --results-dir leaderboard --format md,csv,html,contrasts && "
    "python docs/make_readme_tables.py"
)
TRAINING_CHANGED = "2026-11-24T04:05:27+00:00"  # when another order of random numbers trained `sentemocontext`
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


def must_say(page: str, *sentences: str) -> None:
    text = " ".join((REPOSITORY / page).read_text("utf-8").split())
    for sentence in sentences:
        assert " ".join(sentence.split()) in text, f"{page} must say: {sentence}"


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
def test_who_shares_the_first_rank_and_what_that_means(committed: Committed) -> None:
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
def test_what_fine_tuning_and_its_context_give(committed: Committed) -> None:
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
def test_the_contrast_of_the_paper(committed: Committed) -> None:
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
def test_what_context_and_triplets_add_is_told_once_it_was_run(committed: Committed, twin: str, what: str) -> None:
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
def test_what_else_sentemocontext_is_made_of(committed: Committed) -> None:
    said = []
    for setting, what in (("pretrain_epochs=0", "its pre-training"), ("decision=argmax", "the decision offset")):
        twin = f"{SEC} ({setting})"
        assert committed.section.estimates[twin].seeds == committed.section.estimates[SEC].seeds == 10
        said.append(f"without {what} {difference(committed, SEC, twin)}")
    must_say(
        "README.md",
        f"Against itself {said[0]} and {said[1]}: the offset, chosen on validation, rather costs something here.",
    )
    offset = compare(
        committed.section.estimates[SEC], committed.section.estimates[f"{SEC} (decision=argmax)"], MICRO_F1
    )
    assert offset.interval.high < 0


@pytest.mark.data
def test_the_system_of_the_paper_and_n_grams(committed: Committed) -> None:
    answer = committed.answers[SEC, NGRAMS]
    assert answer.comparison is not None
    must_say(
        "README.md",
        f"A linear model of n-grams is {answer.comparison.difference:.2f} below it {effect(answer)}, "
        f"p = {answer.comparison.p_value:.3f}.",
    )


@pytest.mark.data
def test_who_is_better_than_every_floor(committed: Committed) -> None:
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
def test_scores_without_near_twins(committed: Committed) -> None:
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
def test_the_second_annotation(committed: Committed) -> None:
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


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_readme_tables", REPOSITORY / "docs" / "make_readme_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "docs/fine-tuning.md"])
def test_the_tables_of_a_page_are_the_committed_board(tables: ModuleType, page: str) -> None:
    text = (REPOSITORY / page).read_text("utf-8")
    try:
        wanted = tables.with_tables(text, tables.pages()[page], page)
    except (SystemExit, KeyError) as error:
        pytest.fail(f"The committed board is older than this code: {error}. {AGAIN}")
    assert text == wanted, AGAIN


@pytest.mark.data
def test_the_row_with_the_settings_of_the_paper(committed: Committed) -> None:
    (row,) = [row for row in committed.systems if row.title == "sentemocontext-paper"]
    assert row.seeds == 10
    must_say(
        "README.md",
        f"**With all its departures from the paper's text set back the system scores {committed.score('all', row.title)}**",
    )


@pytest.mark.data
def test_what_single_departures_give(committed: Committed) -> None:
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
def test_no_gain_from_context_is_shown_on_the_other_corpora(meld: Dataset, emorynlp: Dataset) -> None:
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
def test_what_context_and_fine_tuning_give_on_the_other_corpora(meld: Dataset, emorynlp: Dataset) -> None:
    weighted, found = find_metric("weighted_f1_all"), {}
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
        p, corrected = p_values(found[corpus, TUNED, alone])
        assert p < 0.05 < corrected
    assert p_values(found["meld", alone, CLASSIFIER])[1] < 0.001
    must_say(
        "README.md",
        f"reading the whole dialogue costs it {told('meld', TUNED, alone)} on MELD and {told('emorynlp', TUNED, alone)} on "
        "EmoryNLP, neither beyond doubt corrected",
        f"without context {told('meld', alone, CLASSIFIER)} over the classifier on frozen embeddings, p < 0.001 corrected; on "
        f"EmoryNLP {told('emorynlp', alone, CLASSIFIER)} shows nothing",
    )


@pytest.mark.data
def test_who_is_better_than_every_floor_on_the_other_corpora(meld: Dataset, emorynlp: Dataset) -> None:
    weighted, above = find_metric("weighted_f1_all"), {}
    for dataset in (meld, emorynlp):
        kept, _ = without_twins(group_runs(find_runs(COMMITTED)))
        section = ranked(UTTERANCE.sections(DatasetRuns.of(dataset, kept), ("all",))[0], weighted, {})
        above[dataset.name] = [row.title for row in section.rows if row.above_floors]
    assert above["emorynlp"] == [], "README says that none is"
    must_say(
        "README.md",
        f"on MELD only {' and '.join(f'`{title}`' for title in above['meld'])} are shown to be better than every floor, on "
        "EmoryNLP no system is.",
    )


@pytest.mark.data
def test_where_context_helps(dailydialog: Dataset) -> None:
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
    older = {run.record.title for run in runs if run.record.started < TRAINING_CHANGED and not run.record.withheld}
    assert older == {f"{SEC}-mpnet"}, "README names the rows of an earlier version of the training"


@pytest.mark.data
def test_what_parts_of_sentemocontext_give_on_the_other_corpora(meld: Dataset, emorynlp: Dataset) -> None:
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


@pytest.mark.data
def test_how_many_dialogues_the_contrast_of_the_paper_takes(dailydialog: Dataset) -> None:
    (need,) = plan(dailydialog, COMMITTED, 1.5, names=(SEC, CLASSIFIER)).needs
    assert need.seeds == (10, 10)
    assert need.by_seeds[3] is None
    assert need.seeds_needed is None
    must_say(
        "docs/protocols-and-metrics.md",
        f"difference of 1.5 is found in {need.power:.0%} of cases, and would need {need.dialogues_needed:,} dialogues; with "
        "three seeds no number of dialogues suffices, and on 1,000 dialogues no number of seeds.",
    )
