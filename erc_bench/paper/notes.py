"""What a reader must know beside the tables: each difference with its arithmetic, computed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from erc_bench.board.published import PublishedResult
from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.paper.measure import Measurements, of_matrix
from erc_bench.paper.published import PaperTables, ScoreName, paper_labels, paper_tables
from erc_bench.protocols.last_turn import LAST_TURN
from erc_bench.protocols.utterance import UTTERANCE
from erc_bench.scoring import metrics
from erc_bench.scoring.metric import CORRELATION

TRUNCATED_AT = 15
NO_LABEL_FOUND = "happiness"
"""What the released parser makes of an answer in which it finds no label; other corpora need not have this label."""


def table_1(dataset: Dataset) -> tuple[str, ...]:
    """The average as a fraction."""
    dialogues = sum(len(dataset.split(split)) for split in SPLITS)
    utterances = sum(len(dialogue) for split in SPLITS for dialogue in dataset.split(split))
    return (
        f"The average is {utterances:,} utterances / {dialogues:,} dialogues = {utterances / dialogues:.2f}; the paper "
        "prints it as a whole number.",
    )


def table_2(found: Measurements, results: Sequence[PublishedResult]) -> tuple[str, ...]:
    """Protocols that share the table, and cells that a closer look qualifies."""
    return tuple(_table_2(found, {result.system: result for result in results}))


def _table_2(found: Measurements, results: dict[str, PublishedResult]) -> Iterator[str]:
    dataset, tables = found.dataset, paper_tables()
    utterances = sum(len(dialogue) for dialogue in dataset.test)
    yield (
        f"Three protocols share the published table. Rows of the literature label all {utterances:,} test utterances; the "
        f"language-model rows label the last one of each of the {len(dataset.test):,} dialogues; the released code scores "
        "SentEmoContext on random triplets. Scores of different protocols cannot be ranked against each other."
    )
    yield (
        "In the protocol triplet no utterance is labelled: a triplet counts as right where the anchor lies nearer to an "
        "utterance of its own label than to one of another, and labels are drawn in equal shares. It is always shown with "
        "its controls: vectors without any information score about 50, and one vector for everything 100."
    )
    seven = [name for name, result in results.items() if "macro over 7 labels" in result.flags]
    yield (
        f"The macro F1 of {_listed(seven)} is a mean over {len(paper_labels())} labels, the neutral one included, and "
        f"not over the six emotions.{_seven_label_example(found)}"
    )
    likely = [name for name, result in results.items() if "macro likely over 7 labels" in result.flags]
    yield f"That of {_listed(likely)} likely is, too: it stands in one results table with such a number."
    weighted = [name for name, result in results.items() if "weighted F1 labelled macro" in result.flags]
    yield f"The evaluator released with {_listed(weighted)} prints a weighted F1 under the name macro."
    table, text = results["S+PAGE"].micro_f1 or 0.0, float(tables.s_page_in_the_text)
    yield f"S+PAGE: the table prints {table:.2f}, section 2 of the paper {text:.2f} (a difference of {table - text:.2f})."
    missing = [result for result in results.values() if "not in Table 2" in result.flags]
    listed = "; ".join(f"{result.system} ({result.reference}), micro F1 {result.micro_f1:.2f}" for result in missing)
    yield f"Reported before the paper and not in its table: {listed}."
    yield _falcon(found, results)
    yield _mcc_of_7b(tables)
    yield (
        "Rows of the literature have no system here: FILE holds predictions made with their own code, whose row takes the "
        "published name with a hyphen for each space."
    )


def _seven_label_example(found: Measurements) -> str:
    rows, labels = found.under(UTTERANCE), found.dataset.labels
    if not rows or labels.neutral is None or len(labels) != len(paper_labels()):
        return " With m the mean over six emotions and n the F1 of the neutral label, that is (6 m + n) / 7."
    best = rows[0]
    f1 = [best.row.per_label[name]["f1"] for name in labels.emotions]
    six, neutral = sum(f1) / len(f1), best.row.per_label[labels.neutral]["f1"]
    return (
        f" What that changes, for {best.title} as measured here: {six:.2f} over six, "
        f"({len(f1)} × {six:.2f} + {neutral:.2f}) / {len(labels)} = {(sum(f1) + neutral) / len(labels):.2f} over seven."
    )


def _falcon(found: Measurements, results: dict[str, PublishedResult]) -> str:
    parser = (
        f"Falcon-7b: the released parser reads an answer in which it finds no label as {NO_LABEL_FOUND}, and the released "
        "prompt does not lead to the form it looks for."
    )
    if NO_LABEL_FOUND not in found.dataset.labels.names:
        return parser
    falcon, constant = results["Falcon-7b"], found.constant(NO_LABEL_FOUND, LAST_TURN)
    return (
        f"{parser} Answering {NO_LABEL_FOUND} everywhere scores macro F1 {constant['macro_f1'].value:.2f}, micro F1 "
        f"{constant['micro_f1'].value:.2f}, MCC {constant['mcc'].value:.2f} on the last turns of {found.dataset.name}; the "
        f"table prints {falcon.macro_f1:.2f}, {falcon.micro_f1:.2f} and {falcon.mcc:.2f}."
    )


def _mcc_of_7b(tables: PaperTables) -> str:
    printed = tables.number("table_5", "Llama2-7b", "mcc")
    value = of_matrix(tables.confusion("Llama2-7b"), paper_labels())["mcc"].value
    return (
        f"Llama2-7b: the paper prints an MCC of {printed:.2f}; its released confusion matrix gives {value:.3f} (F1 scores "
        f"follow from the matrix as printed), and the released mean over ten runs is {_ten_runs(tables, 'Llama2-7b')}."
    )


def _ten_runs(tables: PaperTables, name: str) -> str:
    found = tables.ten_run_mcc[name]
    return f"{CORRELATION.text(found.mean)} ± {CORRELATION.text(found.deviation)}"


def table_3(dataset: Dataset) -> tuple[str, ...]:
    """What the supports say about what was scored, and which totals follow from the rows."""
    tables = paper_tables()
    columns = {
        name: np.array([tables.number("table_3", label, name) for label in tables.table_3])
        for name in ("precision", "recall", "f1", "support")
    }
    support = columns["support"]
    total, equal = int(support.sum()), support.sum() / len(support)
    lengths = [len(dialogue) for dialogue in dataset.test]
    kept = sum(min(length, TRUNCATED_AT) for length in lengths)
    gold = [sum(u.label == name for d in dataset.test for u in d.utterances) for name in dataset.labels.names]
    hits = columns["recall"] * support
    margins = np.concatenate([hits, support, hits / columns["precision"], [0.0]])
    implied = {name: float(value) for name, value in metrics.scores_of_margins(margins, paper_labels()).items()}
    return (
        f"The published supports, {' + '.join(f'{count:.0f}' for count in support)} = {total:,}, lie between "
        f"{support.min():.0f} and {support.max():.0f}, near a seventh of their sum ({equal:.1f}). The test split of "
        f"{dataset.name} has {sum(gold):,} utterances, labelled "
        f"{', '.join(f'{name} {count:,}' for name, count in zip(dataset.labels.names, gold, strict=True))}. The supports "
        "fit triplets whose anchors are drawn uniformly over the labels, as the released code draws them; they do not fit the "
        "label shares of test utterances.",
        f"Cut at {TRUNCATED_AT} utterances a dialogue, as the released code does, the test split of {dataset.name} keeps "
        f"{kept:,} of {sum(lengths):,} utterances; the released code draws one triplet for each.",
        f"From the printed P, R and supports follow macro F1 {implied['macro_f1']:.2f} and micro F1 "
        f"{implied['micro_f1']:.2f} over six emotions, accuracy {implied['accuracy']:.2f} and MCC {implied['mcc']:.3f}; "
        "Table 2 prints 57.71, 57.75 and 0.49 as means over ten resamplings.",
    )


def table_4(dataset: Dataset) -> tuple[str, ...]:
    """What the two published rows were scored on, and how they compare with Table 5."""
    tables = paper_tables()
    names: tuple[ScoreName, ...] = ("macro_f1", "micro_f1", "mcc")
    classifier = [tables.number("table_4", "all-MiniLM-L6-v2", name) for name in names]
    comparisons = []
    for model in tables.table_5:
        scores = [tables.number("table_5", model, name) for name in names]
        higher = [text for text, a, b in zip(("macro F1", "micro F1", "MCC"), scores, classifier, strict=True) if a > b]
        comparisons.append(
            f"{model} is higher in {_listed(higher)}" if higher else f"{model} is higher in none of the three"
        )
    utterances = [u.label for d in dataset.test for u in d.utterances]
    emotional = sum(label != dataset.labels.neutral for label in utterances)
    return (
        f"The classifier is trained and evaluated without neutral utterances (section 5.1): on {emotional:,} of the "
        f"{len(utterances):,} test utterances here. The published SentEmoContext row is scored on random triplets, so the two "
        "rows share neither utterances nor label shares; the second block puts the systems on the same utterances, where a "
        "system that may answer with the neutral label is wrong when it does so on an emotional utterance.",
        "Forced choice: the emotion of the highest score, whatever the neutral label scored. It asks what the classifier "
        "trained on emotions is asked, and is computed from the scores of a run; records made before scores were kept hold "
        "labels only.",
        f"Section 5.2 says that the language models outperform this classifier. As printed in Table 5: "
        f"{'; '.join(comparisons)}; and they were asked about last turns, the classifier about emotional utterances.",
    )


def table_5(found: Measurements, tables: PaperTables) -> tuple[str, ...]:
    """Where the printed P, R, F1 and MCC come from."""
    labels = paper_labels()
    lines = []
    for name in tables.confusions:
        if "precision" not in tables.row("table_5", name):
            continue
        p, r, micro, macro = (
            tables.number("table_5", name, key) for key in ("precision", "recall", "micro_f1", "macro_f1")
        )
        confusion = tables.confusion(name)
        values = of_matrix(confusion, labels)
        emotions = [labels.index(label) for label in labels.emotions]
        right = int(confusion[emotions, emotions].sum())
        answered, gold = int(confusion[:, emotions].sum()), int(confusion[emotions].sum())
        lines.append(
            f"{name}: the harmonic mean of the printed P and R is 2 × {p:.2f} × {r:.2f} / ({p:.2f} + {r:.2f}) = "
            f"{2 * p * r / (p + r):.2f}, which is neither the printed micro F1 ({micro:.2f}) nor the macro F1 ({macro:.2f}). "
            f"The released confusion matrix explains both: weighted by support, P is {values['precision'].value:.2f} and R "
            f"{values['recall'].value:.2f}, as printed; pooled over the emotions, P is {right}/{answered} = "
            f"{100 * right / answered:.2f} and R {right}/{gold} = {100 * right / gold:.2f}, whose harmonic mean is the printed "
            f"micro F1, {2 * 100 * right / (answered + gold):.2f}."
        )
    fear = [label for label in labels.emotions if not tables.confusion("Llama2-7b")[labels.index(label)].any()]
    lines.append(
        f"No last turn has the label {_listed(fear)}: it scores 0 in every macro F1 of this table, as in scikit-learn."
    )
    means = "; ".join(f"{name} {_ten_runs(tables, name)}" for name in tables.ten_run_mcc)
    return (
        *lines,
        _mcc_of_7b(tables),
        f"MCC over ten runs as released, mean ± standard deviation: {means}. The released confusion matrices are of one run.",
        _falcon_answers(tables),
        *_constant_here(found),
    )


def _falcon_answers(tables: PaperTables) -> str:
    labels, confusion = paper_labels(), tables.confusion("Falcon-7b")
    answers = dict(zip(labels.names, confusion.sum(axis=0).tolist(), strict=False))
    others = _listed([f"{count} {name}" for name, count in answers.items() if count and name != NO_LABEL_FOUND])
    values = of_matrix(confusion, labels)
    printed = " / ".join(
        f"{tables.number('table_5', 'Falcon-7b', name):.2f}" for name in ("macro_f1", "micro_f1", "mcc")
    )
    return (
        f"Falcon-7b: in the released confusion matrix {answers[NO_LABEL_FOUND]} of {confusion.sum():,} answers are "
        f"{NO_LABEL_FOUND} ({others} besides). It gives macro F1 {values['macro_f1'].value:.2f}, micro F1 "
        f"{values['micro_f1'].value:.2f} and MCC {values['mcc'].value:.3f}; the table prints {printed}."
    )


def _constant_here(found: Measurements) -> Iterator[str]:
    if NO_LABEL_FOUND not in found.dataset.labels.names:
        return
    scores = found.constant(NO_LABEL_FOUND, LAST_TURN)
    yield (
        f"For reference, answering {NO_LABEL_FOUND} everywhere scores macro F1 {scores['macro_f1'].value:.2f}, micro F1 "
        f"{scores['micro_f1'].value:.2f} and MCC {scores['mcc'].value:.3f} on the last turns of {found.dataset.name}."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
