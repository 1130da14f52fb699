"""Protocol `utterance`: every test utterance counts. The board's default."""

from __future__ import annotations

from erc_bench.contract.domain import Dialogue, LabelSet
from erc_bench.protocols import breakdown
from erc_bench.protocols.labelled import LabelProtocol
from erc_bench.protocols.rows import Breakdown
from erc_bench.protocols.runs import DatasetRuns
from erc_bench.protocols.subsets import ANNOTATED_TWICE


class Utterance(LabelProtocol):
    """Every utterance of a dialogue."""

    name = "utterance"
    meaning = "Every test utterance counts."
    apart = (ANNOTATED_TWICE.name,)

    def turns(self, dialogue: Dialogue, labels: LabelSet) -> range:
        """All turns."""
        return range(len(dialogue))

    def breakdowns(self, runs: DatasetRuns) -> tuple[Breakdown, ...]:
        rows = [named for named in runs.rows if self.covers(named.group)]
        return breakdown.breakdowns(runs, rows, self.view(runs.dataset)) if rows else ()


UTTERANCE = Utterance()
