"""Training without the labels of one emotion: `erc-bench run --withhold LABEL`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.errors import UnknownNameError


def check_label(label: str, labels: LabelSet) -> str:
    """The label, if it is an emotion of the label set.

    Raises
    ------
    UnknownNameError
        It is not: the neutral label cannot be withheld.
    """
    if label not in labels.emotions:
        raise UnknownNameError("a withheld label", label, labels.emotions)
    return label


def withhold(dialogues: Sequence[Dialogue], label: str) -> tuple[Dialogue, ...]:
    """The dialogues with every label `label` removed (None); texts and all other labels stay."""
    return tuple(
        replace(d, utterances=tuple(replace(u, label=None) if u.label == label else u for u in d.utterances))
        for d in dialogues
    )
