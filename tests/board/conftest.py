"""A small board with every kind of row, and one whose texts attack the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from erc_bench.board.across import AcrossBoard, across_board
from erc_bench.board.model import Board
from erc_bench.contract.domain import LabelSet
from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.scoring import metrics
from erc_bench.scoring.bootstrap import estimates
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.resampling import resample_weights

GOLD = (673, 14, 3, 0, 284, 18, 8)
ATTACKS = (
    "<script>alert('script')</script>",
    "<img src=x onerror=alert('img')>",
    "</script><script>alert('closed')</script>",
    "</style><svg onload=alert('svg')>",
    "<!-- <script> --!><iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "\" onmouseover=alert('quote') autofocus onfocus=alert('focus') x=\"",
    "' onclick=alert('single') '",
    "javascript:alert('scheme')",
    "\u2028alert('line')\u2029 {{ 7 * 7 }} {% raw %} &lt;b&gt; \u202egnirts\u202c \ud800",
)


def measured(title: str, share: float, subset: str = "all", **fields: Any) -> Row:
    """A row that labels `share` of every gold label rightly and calls the rest no emotion, 5 of them unusable."""
    confusion = np.zeros((7, 8), np.int64)
    for label, count in enumerate(GOLD):
        confusion[label, label] = round(share * count)
        confusion[label, 0 if label else 4] += count - round(share * count)
    if fields.pop("unusable", False):
        confusion[0, [0, 7]] += [-5, 5]
    found = {name: float(value) for name, value in metrics.scores(confusion, LABELS).items()}
    widths = {name: 0.04 if name == "mcc" else 0.0 if name == "unusable_rate" else 4.0 for name in found}
    by_label = metrics.per_label(confusion, LABELS)
    row = Row(
        title=title,
        dataset="dailydialog",
        protocol="last-turn",
        subset=subset,
        evidence="measured",
        source=f"erc-bench run --system {title} --seeds 0-2",
        seeds=3,
        scores={n: Score(v, v - widths[n], v + widths[n], widths[n] / 5) for n, v in found.items()},
        per_label={label: {n: float(c[i]) for n, c in by_label.items()} for i, label in enumerate(LABELS.names)},
        confusion=confusion,
        without_support=("fear",),
        context="dialogue",
        context_tested=True,
        parameters=22_713_216,
        train_seconds=125.0,
        utterances_per_second=190.0,
    )
    return replace(row, **fields)


def rows(subset: str) -> tuple[Row, ...]:
    return (
        measured("large", 0.9, subset, rank="1", parameters=355_000_000, utterances_per_second=7.0),
        measured("middle", 0.8, subset, rank="2-3", notes=("Cached; see https://example.org/note.",)),
        measured("wasteful", 0.7, subset, rank="2-3", parameters=110_000_000, utterances_per_second=5.0),
        measured(
            "talker",
            0.6,
            subset,
            rank="4",
            unusable=True,
            unusable_as_neutral={"micro_f1": 61.25, "macro_f1": 50.0, "mcc": 0.5},
            evidence="predictions",
            context_tested=False,
            flags=("sampled answers",),
        ),
        measured("constant", 0.1, subset, rank="5", floor=True, parameters=None, utterances_per_second=9e5),
    )


@pytest.fixture(scope="session")
def sections() -> Sequence[Section]:
    """Two protocols; last-turn has both subsets."""
    everything = replace(rows("all")[1], protocol="utterance", rank="1")
    return (
        Section("dailydialog", "utterance", "all", 1000, 7740, (everything,)),
        Section("dailydialog", "last-turn", "all", 1000, 1000, rows("all")),
        Section("dailydialog", "last-turn", "not-verbatim", 893, 893, rows("not-verbatim")[1:]),
    )


@pytest.fixture(scope="session")
def published() -> Sequence[Row]:
    """One row beside measured ones, one whose protocol nothing here was measured on."""
    return (
        Row(
            title="Llama-2-13b",
            dataset="dailydialog",
            protocol="last-turn",
            subset="all",
            evidence="published",
            source="Table 2 of https://example.org/paper.pdf.",
            reference="Someone et al. 2024",
            scores={"micro_f1": Score(43.37), "macro_f1": Score(22.26)},
            flags=("last turn only",),
            notes=("scored on the last utterance of each dialogue",),
        ),
        Row("SEC", "dailydialog", "triplet", "all", "published", "its paper", scores={"micro_f1": Score(57.75)}),
    )


@pytest.fixture(scope="session")
def attack() -> Sequence[Section]:
    """Every text of every row is an attack."""
    hostile = [
        measured(
            f"{attack} {number}",
            0.5,
            dataset=ATTACKS[1],
            evidence=evidence,
            source=attack if number % 2 else f"https://example.org/{attack}",
            system=attack,
            summary=attack,
            reference=attack,
            context=attack,
            rank=attack,
            flags=(attack, *ATTACKS),
            notes=(attack, *ATTACKS),
            commands=ATTACKS,
            per_label={f"{attack}{label}": values for label, values in measured("x", 0.5).per_label.items()},
            without_support=ATTACKS,
            scores={**measured("x", 0.5).scores, "micro_f1": Score(1.0)},
            parameters=number + 1,
        )
        for number, attack in enumerate(ATTACKS)
        for evidence in ("measured", "predictions", "published", attack)
    ]
    return (Section(ATTACKS[1], ATTACKS[0], ATTACKS[5], 10, 100, tuple(hostile)),)


def made(confusions: Sequence[tuple[int, int]], labels: LabelSet) -> NDArray[np.int64]:
    """Counts of dialogues with (right, wrong) answers to the first emotion; wrong ones are neutral."""
    counts = np.zeros((len(confusions), len(labels), len(labels) + 1), np.int64)
    emotion = labels.index(labels.emotions[0])
    counts[:, emotion, emotion] = [right for right, _ in confusions]
    counts[:, emotion, 0] = [wrong for _, wrong in confusions]
    return counts


TRIO = LabelSet(("calm", "joy", "rage"), "calm")


def corpus_board(name: str, labels: LabelSet, metric: str, dialogues: int, shares: dict[str, float]) -> Board:
    """A board of one dataset: each system is right on that share of the five utterances of every dialogue, about."""
    found = {}
    for system, share in shares.items():
        generator = np.random.default_rng([dialogues, int(1000 * share)])
        hits = generator.binomial(5, share, size=dialogues)
        found[system] = [made([(int(hit), 5 - int(hit)) for hit in hits], labels)]
    weights = resample_weights(dialogues, resamples=500, seed=0)
    estimated = dict(zip(found, estimates(list(found.values()), labels, weights), strict=True))
    ranking = METRICS[metric]
    rows = tuple(
        Row(
            title=system,
            dataset=name,
            protocol="utterance",
            subset="all",
            evidence="measured",
            source=f"erc-bench run --system {system}",
            seeds=1,
            floor=system.startswith("floor"),
            scores={m: Score(estimate.score[m], *estimate.interval(m)) for m in METRICS},
        )
        for system, estimate in estimated.items()
    )
    section = Section(name, "utterance", "all", dialogues, 5 * dialogues, rows, estimated)
    return Board(name, "f" * 64, {"test": (dialogues, 5 * dialogues)}, labels, (section,), (), ranking)


@pytest.fixture(scope="session")
def corpora() -> list[Board]:
    """Two corpora of different labels and metrics; `good` leads on both, `first` and `second` change places."""
    shares = {"floor-low": 0.05, "floor-high": 0.2, "good": 0.9, "first": 0.6, "second": 0.5, "only-here": 0.3}
    other = {"good": 0.85, "floor-low": 0.1, "first": 0.4, "second": 0.55, "floor-high": 0.15, "elsewhere": 0.7}
    return [
        corpus_board("big", LABELS, "micro_f1", 60, shares),
        corpus_board("small", TRIO, "weighted_f1_all", 40, other),
    ]


@pytest.fixture(scope="session")
def across(corpora: list[Board]) -> AcrossBoard:
    return across_board(corpora)


@pytest.fixture(scope="session")
def hostile_across(corpora: list[Board]) -> AcrossBoard:
    """A board across corpora whose every title is an attack."""
    names = dict(zip((row.title for row in corpora[0].sections[0].rows), ATTACKS, strict=False))
    return across_board([_renamed(board, names) for board in corpora])


def _renamed(board: Board, names: dict[str, str]) -> Board:
    (section,) = board.sections
    rows = tuple(replace(row, title=names.get(row.title, ATTACKS[-1])) for row in section.rows)
    found = {names.get(title, ATTACKS[-1]): estimate for title, estimate in section.estimates.items()}
    dataset = f"{board.dataset} {ATTACKS[0]}"
    renamed = replace(section, dataset=dataset, rows=rows, estimates=found)
    return replace(board, dataset=dataset, sections=(renamed,))
