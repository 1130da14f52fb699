"""Protocol `emotional`: test utterances whose gold label is an emotion, as in Table 4 of the SEC paper."""

from __future__ import annotations

from erc_bench.contract.domain import Dataset, Dialogue, LabelSet
from erc_bench.protocols.labelled import LabelProtocol


class Emotional(LabelProtocol):
    """Utterances with an emotion; intervals still draw from all dialogues, since which of them have one is chance."""

    name = "emotional"
    meaning = (
        "Only test utterances whose gold label is an emotion count, as in Table 4 of the paper. That they are emotional is "
        "given away: answering with the neutral label is always wrong, and telling the two apart is not scored."
    )
    heading = "emotional utterances"
    must_hold = "utterances with a neutral label, and others"

    def applies_to(self, dataset: Dataset) -> bool:
        """Only where some test utterances are neutral and others are not; else it is `utterance` again, or nothing."""
        found = {label for dialogue in dataset.test for label in (u.label for u in dialogue.utterances)}
        emotions = set(dataset.labels.emotions)
        return bool(found & emotions) and bool(found - emotions)

    def turns(self, dialogue: Dialogue, labels: LabelSet) -> list[int]:
        """The turns whose gold label is an emotion."""
        emotions = labels.emotions
        return [turn for turn, utterance in enumerate(dialogue.utterances) if utterance.label in emotions]


EMOTIONAL = Emotional()
