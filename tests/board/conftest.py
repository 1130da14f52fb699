"""A small board with every kind of row, and one whose texts attack the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from erc_bench.data.dailydialog import LABELS
from erc_bench.protocols.rows import Row, Score, Section
from erc_bench.scoring import metrics

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
