"""Protocol `last-turn`: the last utterance of each dialogue, the setting of the paper's language-model rows."""

from __future__ import annotations

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.protocols.labelled import LabelProtocol


class LastTurn(LabelProtocol):
    """The last utterance of a dialogue; a run that labelled all of them labelled it, too."""

    name = "last-turn"
    meaning = "Only the last utterance of each test dialogue counts, as in the paper’s language-model rows."
    published_flag = "last turn only"
    needs = "last"

    def turns(self, dialogue: Dialogue, labels: LabelSet) -> list[int]:
        """The last turn, as `erc-bench run --targets last` labels it."""
        return [target.turn for target in dialogue.targets("last")]


LAST_TURN = LastTurn()
