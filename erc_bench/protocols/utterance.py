"""Protocol `utterance`: every test utterance counts. The board's default."""

from __future__ import annotations

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.subsets import ANNOTATED_TWICE


class Utterance(LabelProtocol):
    """Every utterance of a dialogue."""

    name = "utterance"
    meaning = "Every test utterance counts."
    apart = (ANNOTATED_TWICE.name,)

    def turns(self, dialogue: Dialogue, labels: LabelSet) -> range:
        """All turns."""
        return range(len(dialogue))


UTTERANCE = Utterance()
