"""Planned contrasts: a few questions that were written down, each answered by a paired test of two rows.

The file is TOML (`leaderboard/contrasts.toml` is the one of the committed board). *p*-values are corrected with Holm's
method within a family of questions on one dataset and protocol. A family counts those without runs, too, so that a
correction does not depend on which runs were made first. The file also names the rows that no reader would choose among,
which take no part in the ranks.
"""

from __future__ import annotations

import datetime
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from erc_bench.errors import PlanError, UnknownNameError
from erc_bench.protocols.registry import protocols
from erc_bench.protocols.rows import Section
from erc_bench.protocols.subsets import ALL, find_subset
from erc_bench.records.groups import NamedGroup
from erc_bench.scoring.catalogue import METRICS
from erc_bench.scoring.metric import Metric
from erc_bench.scoring.significance import ALPHA, Comparison, compare, holm

FILE = "contrasts.toml"
KEYS = ("family", "question", "a", "b")
DEFAULTS: Mapping[str, str] = {
    "dataset": "dailydialog",
    "metric": "",
    "protocol": "utterance",
    "subset": ALL.name,
    "family": "planned",
    "known": "",
}


@dataclass(frozen=True, slots=True)
class Contrast:
    """A question, and the two rows that answer it: is A better than B? `metric` is "" for the one that ranks the dataset.

    `written` is when it was written down, None where the file does not say. `known` says which scores of these rows were
    known then although their runs are younger, such as those of runs that were made again since; "" for none.
    """

    family: str
    question: str
    a: str
    b: str
    dataset: str
    metric: str
    protocol: str
    subset: str
    known: str = ""
    written: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Unranked:
    """Rows of a dataset that are there for a question and not to be chosen, and why: they have no rank."""

    dataset: str
    reason: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contrasts:
    """The contrasts of a file in its order, and the rows that have no rank.

    `optional` contrasts stand on a board only where at least one of their protocol was run.
    """

    items: tuple[Contrast, ...]
    optional: bool = False
    unranked: tuple[Unranked, ...] = ()

    def without_rank(self, dataset: str, rows: Sequence[NamedGroup]) -> dict[str, str]:
        """The titles of a dataset's rows that have no rank, and why."""
        titles = _titles(rows)
        mine = [each for each in self.unranked if each.dataset == dataset]
        return {titles.get(name, name): each.reason for each in mine for name in each.rows}


@dataclass(frozen=True, slots=True)
class Answer:
    """A contrast and its answer: A minus B, in the unit of the metric.

    `comparison` is None, and `corrected` with it, where a row is not there; `missing` names these. `planned` says whether
    the contrast was written down before the first run of one of its rows began and no score of theirs was known, so that
    nobody could know the answer.
    """

    contrast: Contrast
    metric: Metric
    comparison: Comparison | None = None
    corrected: float | None = None
    missing: tuple[str, ...] = ()
    planned: bool = False

    @property
    def written(self) -> str:
        """When the question was written down, seen from its runs."""
        if self.contrast.known:
            return f"knowing {self.contrast.known}"
        return "before its runs" if self.planned else "after its runs"

    @property
    def holds(self) -> bool:
        """Whether the corrected test tells the two rows apart."""
        return self.corrected is not None and self.corrected <= ALPHA


def read_contrasts(path: Path | None = None) -> Contrasts:
    """The contrasts of a file, or those that come with the package.

    Raises
    ------
    PlanError
        The file is not there, not TOML, or a key makes no sense: the message names the file and the contrast.
    """
    where = str(path or FILE)
    try:
        text = (path or files("erc_bench.leaderboard").joinpath(FILE)).read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(f"contrasts must be a file that can be read, got {path} ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{where} must be TOML, got {error}.") from None
    return parse_contrasts(text, where, optional=path is None)


def parse_contrasts(text: str, where: str = FILE, *, optional: bool = False) -> Contrasts:
    """The contrasts of a text in TOML.

    Raises
    ------
    PlanError
        As `read_contrasts`.
    """
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for numbers of thousands of digits
        raise PlanError(f"{where} must be TOML, got {error}.") from None
    written = _written(content, where)
    tables, left_out = _tables(content, "contrasts", where), _tables(content, "unranked", where)
    if not tables:
        raise PlanError(f"{where}: contrasts must be a list of tables, each under its own [[contrasts]], got none.")
    _check(content, tuple(DEFAULTS), where)
    items = [
        _contrast({**DEFAULTS, **content}, table, written, f"{where}: [[contrasts]] number {number}")
        for number, table in enumerate(tables, start=1)
    ]
    unranked = [
        _unranked({"dataset": DEFAULTS["dataset"], **content}, table, f"{where}: [[unranked]] number {number}")
        for number, table in enumerate(left_out, start=1)
    ]
    return Contrasts(tuple(items), optional, tuple(unranked))


def _tables(content: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """The tables of a key, taken out of the content of a file; none where the key is not there."""
    tables = content.pop(key, [])
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise PlanError(f"{where}: {key} must be a list of tables, each under its own [[{key}]], got {tables!r}.")
    return tables


def _unranked(defaults: Mapping[str, str], table: dict[str, Any], where: str) -> Unranked:
    rows = table.pop("rows", None)
    if not (isinstance(rows, list) and rows and all(isinstance(row, str) for row in rows)):
        raise PlanError(f"{where}: rows must be a list of rows as the board names them, got {rows!r}.")
    _check(table, ("dataset", "reason"), where)
    if not table.get("reason", "").strip():
        raise PlanError(f"{where} must have a reason, got none.")
    return Unranked(table.get("dataset", defaults["dataset"]), table["reason"], tuple(rows))


def _written(table: dict[str, Any], where: str) -> datetime.datetime | None:
    """When what a table says was written down, taken out of it."""
    written = table.pop("written", None)
    if written is None or (isinstance(written, datetime.datetime) and written.tzinfo is not None):
        return written
    raise PlanError(f"{where}: written must be a time such as 2026-11-25T21:00:00Z, got {written!r}.")


def _check(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise PlanError(f"{where}: a key must be one of {', '.join(known)}; got {key!r}.")
        if not isinstance(value, str):
            raise PlanError(f"{where}, {key} must be a text, got {value!r}.")


def _contrast(
    defaults: Mapping[str, str], table: dict[str, Any], written: datetime.datetime | None, where: str
) -> Contrast:
    written = _written(table, where) or written
    _check(table, tuple(dict.fromkeys((*KEYS, *DEFAULTS))), where)
    for key in ("question", "a", "b"):
        if not table.get(key, "").strip():
            raise PlanError(f"{where} must have a {key}, got none.")
    found = Contrast(**{**defaults, **table})
    if found.a == found.b:
        raise PlanError(f"{where}: a and b must be two rows, got {found.a!r} twice.")
    try:
        subset = find_subset(found.subset).name
        for kind, name, names in (("metric", found.metric, METRICS), ("protocol", found.protocol, protocols())):
            if name and name not in names:
                raise UnknownNameError(f"a {kind}", name, names)
    except UnknownNameError as error:
        raise PlanError(f"{where}: {error}") from None
    return replace(found, subset=subset, written=written)


def answered(
    contrasts: Contrasts, dataset: str, sections: Iterable[Section], rows: Sequence[NamedGroup], ranking: Metric
) -> list[Answer]:
    """The contrasts on one dataset with their answers, in order; optional ones only where a protocol has an answer."""
    estimates = {(section.protocol, section.subset): section.estimates for section in sections}
    titles = _titles(rows)
    begun = {row.title: min((run.record.started for run in row.group.runs), default="") for row in rows}
    found: list[Answer] = []
    for contrast in contrasts.items:
        if contrast.dataset != dataset:
            continue
        known = estimates.get((contrast.protocol, contrast.subset), {})
        sides = [titles.get(name, name) for name in (contrast.a, contrast.b)]
        metric = METRICS[contrast.metric] if contrast.metric else ranking
        missing = tuple(side for side in sides if side not in known)
        answer = None if missing else compare(known[sides[0]], known[sides[1]], metric)
        younger = any(_is_later(begun.get(side, ""), contrast.written) for side in sides)
        found.append(Answer(contrast, metric, answer, None, missing, younger and not contrast.known))
    run = {each.contrast.protocol for each in found if each.comparison}
    return _corrected([each for each in found if not contrasts.optional or each.contrast.protocol in run])


def _titles(rows: Sequence[NamedGroup]) -> dict[str, str]:
    """Titles by what a contrast may call a row: its title, or that without what tells rows of one title apart."""
    short = Counter(row.group.record.title for row in rows)
    return {
        **{row.group.record.title: row.title for row in rows if short[row.group.record.title] == 1},
        **{row.title: row.title for row in rows},
    }


def _is_later(begun: str, written: datetime.datetime | None) -> bool:
    """Whether a run began after a time; False where either is not known."""
    try:
        return written is not None and datetime.datetime.fromisoformat(begun) > written
    except (ValueError, TypeError):
        return False


def _corrected(found: Sequence[Answer]) -> list[Answer]:
    by_family: dict[tuple[str, str], list[int]] = {}
    for place, each in enumerate(found):
        by_family.setdefault((each.contrast.family, each.contrast.protocol), []).append(place)
    adjusted: dict[int, float] = {}
    for places in by_family.values():
        # What was not run yet may still turn out either way: it counts, and claims nothing.
        answers = [found[place].comparison for place in places]
        p_values = holm([answer.p_value if answer else 1.0 for answer in answers])
        adjusted |= dict(zip(places, map(float, p_values), strict=True))
    return [replace(each, corrected=adjusted[place]) if each.comparison else each for place, each in enumerate(found)]
