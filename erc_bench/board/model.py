"""A board: the sections of all protocols of one dataset, ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from erc_bench.board.contrasts import Answer
from erc_bench.contract.domain import LabelSet, Split
from erc_bench.protocols.rows import Row, Section
from erc_bench.protocols.subsets import ALL
from erc_bench.scoring.catalogue import MICRO_F1, headline
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.significance import Standing, standings


@dataclass(frozen=True, slots=True)
class Board:
    """All that the boards show of one dataset, in every format.

    `sizes` maps each split to its numbers of dialogues and utterances. `sections` are in the order of protocols and
    subsets; `published` rows are in the order of their source, and never ranked. `ranking` is the
    metric that ranks the measured rows. `contrasts` are questions that were written down beforehand, with their answers.
    """

    dataset: str
    fingerprint: str
    sizes: Mapping[Split, tuple[int, int]]
    labels: LabelSet
    sections: tuple[Section, ...]
    published: tuple[Row, ...] = ()
    ranking: Metric = MICRO_F1
    contrasts: tuple[Answer, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.sections and not self.published

    def protocols(self) -> tuple[str, ...]:
        """The protocols that have measured rows, in order."""
        return tuple(dict.fromkeys(section.protocol for section in self.sections))

    def section(self, protocol: str, subset: str = ALL.name) -> Section | None:
        """The section of one protocol and subset, None if there is none."""
        return next((found for found in self.sections if (found.protocol, found.subset) == (protocol, subset)), None)

    def rows(self, protocol: str, subset: str = ALL.name) -> tuple[Row, ...]:
        """The rows of one protocol and subset, best first."""
        section = self.section(protocol, subset)
        return section.rows if section else ()


def ranked(section: Section, ranking: Metric, unranked: Mapping[str, str] | None = None) -> Section:
    """The section with its rows best first, and with their ranks where it has any; one without estimates as it is.

    Rows whose title is in `unranked` take no part in the ranks; a note says why.
    """
    unranked = unranked or {}
    if not section.estimates:
        return section
    columns = headline(ranking)
    rows = sorted(section.rows, key=lambda row: (ranking.best_first(row.scores[ranking.name].value), row.title))
    found: dict[str, Standing] = {}
    if section.ranked:
        measured = {row.title: row.floor for row in rows if row.title not in unranked}
        estimates = [section.estimates[title] for title in measured]
        found = dict(zip(measured, standings(estimates, list(measured.values()), ranking), strict=True))
    rows = [
        replace(
            row,
            rank=found[row.title].rank if row.title in found else "",
            above_floors=found[row.title].above_floors if row.title in found else None,
            notes=(*row.notes, f"no rank: {unranked[row.title]}") if row.title in unranked else row.notes,
            unusable_as_neutral=_of(columns, row.unusable_as_neutral),
        )
        for row in rows
    ]
    return replace(
        section,
        # What people answered is read before what systems did.
        rows=tuple(sorted(rows, key=lambda row: row.title in section.estimates)),
        estimates={row.title: section.estimates[row.title] for row in rows if row.title in section.estimates},
        metrics=columns,
    )


def _of(columns: Sequence[Metric], values: Mapping[str, float]) -> dict[str, float]:
    return {metric.name: values[metric.name] for metric in columns if metric.name in values}
