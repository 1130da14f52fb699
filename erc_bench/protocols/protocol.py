"""What a protocol is: an object that says which runs it scores, how their rows come about, and what it keeps of a run.

A protocol is defined in one module and found by its name (`erc_bench.protocols.registry`). Boards, comparisons,
verification and exports ask the object and know none by name. `docs/adding-a-protocol.md` makes one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from erc_bench.errors import UsageError

if TYPE_CHECKING:
    from erc_bench.contract.domain import Dataset
    from erc_bench.contract.system import System
    from erc_bench.progress import Progress
    from erc_bench.protocols.rows import Breakdown, Section
    from erc_bench.protocols.runs import DatasetRuns
    from erc_bench.records.groups import RunGroup
    from erc_bench.records.record import Run


class Protocol(ABC):
    """How runs become rows. Subclasses set `name` and `meaning`, and implement `covers` and `sections`.

    Most protocols select utterances of the test split: derive them from `erc_bench.protocols.labelled.LabelProtocol`,
    which asks for one method.
    """

    name: ClassVar[str]
    """What `--protocol`, the board and the CSV call it."""
    meaning: ClassVar[str]
    """What it scores, in one or more sentences for a reader of the board."""
    heading: ClassVar[str] = ""
    """Its name in a sentence or table of the paper, where that is another than `name`."""
    ranked: ClassVar[bool] = True
    """Whether its sections hold estimates by dialogue, so that rows are ranked and `erc-bench compare` tests them."""
    published_flag: ClassVar[str] = ""
    """The flag that every published result under this protocol must carry (see `erc_bench.board.published.FLAGS`)."""
    must_hold: ClassVar[str] = "utterances that count"
    """What a test split must hold for the protocol to apply, in words."""
    evidence_files: ClassVar[tuple[str, ...]] = ()
    """Names of the small files that `derive` leaves in a run folder: exported and kept beside the predictions."""

    def applies_to(self, dataset: Dataset) -> bool:
        """Whether the protocol can score anything on the test split of a dataset."""
        return True

    def unfit(self, dataset: Dataset) -> UsageError:
        """The error that says what a dataset lacks to which the protocol does not apply."""
        return UsageError(
            f"the protocol {self.name} does not apply to the dataset {dataset.name}: the test split must hold {self.must_hold}."
        )

    @abstractmethod
    def covers(self, group: RunGroup) -> bool:
        """Whether complete runs hold what the protocol scores."""

    @abstractmethod
    def sections(self, runs: DatasetRuns, subsets: Collection[str] | None = None) -> list[Section]:
        """The sections with a row for each group of runs that is covered, or those of some subsets; none without rows.

        Raises
        ------
        DataMissingError, DataCorruptError
            A run that was made on other data, or whose files are missing or altered.
        """

    def breakdowns(self, runs: DatasetRuns) -> tuple[Breakdown, ...]:
        """The rows on the whole test split by phenomenon, for a protocol whose board shows them."""
        return ()

    def derive(self, run: Run, dataset: Dataset, system: System[Any], progress: Progress) -> None:
        """Write `evidence_files` into the folder of a run that has predicted and, if it can, embedded the test split.

        Called once while the system is still loaded; `run.record` is not complete yet.
        """

    def differences(self, run: Run, dataset: Dataset) -> Iterator[str]:
        """What in the evidence of a complete run does not follow from what is there to recompute it, in words."""
        yield from ()
