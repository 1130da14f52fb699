"""From what a user calls a run or a row to its runs: the same answer for every command.

A name is the folder of a run; the title of a row as the board writes it, or without the hash that tells rows of one
title apart; the name of a system that has one row; or the beginning of one title.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from erc_bench.errors import DataMissingError, UnknownNameError, UsageError
from erc_bench.records.groups import NamedGroup, RunGroup, group_runs, named_groups
from erc_bench.records.record import RUN_FILE, Run, find_runs, read_record

NAMED_CHOICES = 12
ADVICE = (
    "Rows are named as on the board; the name of a system, the beginning of a title and a run folder will do, too. "
    "Published rows have no predictions here."
)


def is_run_folder(name: str) -> bool:
    """Whether a name is the folder of a run, and not a row."""
    return (Path(name) / RUN_FILE).is_file()


def rows_named(results: Path, name: str, *, dataset: str | None = None) -> list[NamedGroup]:
    """Every row that a name may mean, at least one: those that fit it best, on any dataset or on one of them.

    The row of a run folder is this run alone, whatever lies in `results`.

    Raises
    ------
    UnknownNameError
        No complete run of that name; the nearest one is suggested.
    UsageError
        A run folder whose run is not complete.
    DataMissingError
        A folder that holds no run, or no results folder.
    """
    folder = Path(name)
    if is_run_folder(name):
        record = read_record(folder)
        if record.status != "complete":
            raise UsageError(f"a run must be complete, got status {record.status!r} in {folder}. Finish it first.")
        return [NamedGroup(record.title, RunGroup((Run(folder, record),)))]
    # Settings name paths too, but a title has them in brackets.
    if folder.is_dir() or (os.sep in name and "(" not in name):
        raise DataMissingError(f"a run folder must hold {RUN_FILE}, got none in {folder}.")
    rows = [row for row in named_groups(group_runs(find_runs(results))) if dataset in (None, row.group.record.dataset)]
    readings: Sequence[Callable[[NamedGroup], bool]] = (
        lambda row: row.title == name,
        lambda row: row.group.record.title == name,
        lambda row: row.group.record.system == name,
        lambda row: row.title.startswith(name),
    )
    for fits in readings:
        found = [row for row in rows if fits(row)]
        if found:
            return found
    known = {row.title for row in rows} | {row.group.record.system for row in rows}
    raise UnknownNameError("a row", name, known, advice=f"{ADVICE} Runs are looked for in {results}.")


def runs_named(results: Path, name: str) -> list[Run]:
    """The run in a folder, complete or not, or every run of the rows that a name means.

    Raises
    ------
    UnknownNameError, DataMissingError
        As `rows_named`.
    """
    if is_run_folder(name):
        return [Run(Path(name), read_record(Path(name)))]
    return [run for row in rows_named(results, name) for run in row.group.runs]


def row_named(results: Path, name: str, *, dataset: str | None = None) -> NamedGroup:
    """The one row that a name means.

    Raises
    ------
    UnknownNameError, UsageError, DataMissingError
        As `rows_named`; several rows fit, which are named.
    """
    return only_row(name, rows_named(results, name, dataset=dataset))


def only_row(name: str, rows: Sequence[NamedGroup]) -> NamedGroup:
    """The row, if it is one; else a UsageError that names them."""
    if len(rows) > 1:
        shown = "; ".join(f"{row.title!r} on {row.group.record.dataset}" for row in rows[:NAMED_CHOICES])
        more = f"; and {len(rows) - NAMED_CHOICES} more" if len(rows) > NAMED_CHOICES else ""
        raise UsageError(
            f"{name!r} must name one row, got {len(rows)}: {shown}{more}. Give the whole title, --dataset, or a run folder."
        )
    return rows[0]
