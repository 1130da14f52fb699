"""From the labels of one corpus to those of another: what a system trained on the one can say of the other."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet
from erc_bench.data.common_labels import problems_of
from erc_bench.data.spec import DatasetSpec
from erc_bench.errors import DataCorruptError, UsageError


@dataclass(frozen=True)
class LabelMap:
    """Which labels of a training corpus are counterparts of which of a test corpus.

    `pairs` maps labels of the training corpus to those of the test corpus; `labels` are the latter, in the order of the
    test corpus, and all that a system of this transfer knows.
    """

    labels: LabelSet
    pairs: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the pairs and of the labels in their order."""
        content = [sorted(self.pairs.items()), list(self.labels.names), self.labels.neutral]
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    def relabelled(self, dialogues: Iterable[Dialogue]) -> tuple[Dialogue, ...]:
        """Training dialogues in the labels of the test corpus; a label without a counterpart becomes None.

        The utterance stays where it is: it is what the others answer to.
        """
        return tuple(
            replace(d, utterances=tuple(replace(u, label=self.pairs.get(u.label or "")) for u in d.utterances))
            for d in dialogues
        )

    def left_out(self, dialogues: Iterable[Dialogue]) -> dict[str, int]:
        """Utterances of training dialogues whose label has no counterpart: their number by label."""
        found = Counter(u.label for d in dialogues for u in d.utterances if u.label and u.label not in self.pairs)
        return {label: found[label] for label in sorted(found)}


def map_of(pairs: Mapping[str, str], test: LabelSet) -> LabelMap:
    """The map of labels of a training corpus to some labels of a test corpus."""
    names = tuple(name for name in test.names if name in pairs.values())
    return LabelMap(LabelSet(names, test.neutral if test.neutral in names else None), pairs)


def label_map(train: Dataset | DatasetSpec, test: Dataset | DatasetSpec) -> LabelMap:
    """The labels that two corpora share, by the common words of each. Needs no dialogue.

    Raises
    ------
    UsageError
        A corpus does not say what its labels are in common words, or they share fewer than two labels.
    DataCorruptError
        A corpus gives its labels words that do not exist, or one word to several.
    """
    for dataset in (train, test):
        problems = problems_of(dataset.common_labels, dataset.labels.names)
        if problems:
            raise DataCorruptError(
                f"the common labels of {dataset.name} must make sense: {'; '.join(problems.values())}."
            )
        if not dataset.common_labels:
            raise UsageError(
                f"{dataset.name} must say which of the common words its labels stand for, got none. Add a table "
                '[common_labels] to its dataset.toml, for example glad = "joy", or common_labels to its DatasetSpec.'
            )
    of_word = {word: label for label, word in test.common_labels.items()}
    pairs = {label: of_word[word] for label, word in train.common_labels.items() if word in of_word}
    found = map_of(pairs, test.labels)
    if len(pairs) < 2:
        raise UsageError(
            f"{train.name} and {test.name} must share two labels or more, got {', '.join(found.labels.names) or 'none'}. "
            f"Their common words: {_listed(train)}; {_listed(test)}."
        )
    return found


def _listed(dataset: Dataset | DatasetSpec) -> str:
    return f"{dataset.name} {', '.join(dict.fromkeys(dataset.common_labels.values()))}"
