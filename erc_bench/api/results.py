"""Results: boards of runs, two rows against each other, dialogues side by side, and whether it all holds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from erc_bench.api.data import Folder, load_dataset, path_of, results_path
from erc_bench.api.runs import RESULTS, complete_runs, not_complete
from erc_bench.errors import DataError, UsageError
from erc_bench.progress import Progress, SilentProgress

if TYPE_CHECKING:
    import pandas as pd

    from erc_bench.board.across import AcrossBoard
    from erc_bench.inspection.compare import Pair
    from erc_bench.inspection.differences import Difference
    from erc_bench.inspection.power import Plan
    from erc_bench.inspection.show import Showing


def leaderboard(
    results_dir: Folder = RESULTS,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    data_dir: Folder | None = None,
    rank_by: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The board of all complete runs, every number recomputed from their predictions; one row of it a line.

    The columns are those of leaderboard.csv, then scores that only some protocols have. F1 and accuracy are percents, the
    MCC lies in -1..1, the rate of unusable answers in 0..1; `_low` and `_high` end 95% intervals. Rows with the evidence
    `published` are copied from papers and have no rank. What cannot be read or scored is left out with a warning, unless
    that leaves nothing.

    Parameters
    ----------
    rank_by
        The metric that ranks; default that of each dataset.

    Raises
    ------
    UnknownNameError
        No dataset, protocol or metric of that name.
    DataMissingError
        No complete run, or the gold labels that the runs are scored against are not there.
    DataCorruptError
        A run made on other data, or whose predictions were altered.
    """
    import pandas as pd

    from erc_bench.board.build import build_boards
    from erc_bench.board.formats.csv_file import all_rows, every_value

    found = build_boards(
        results_path(results_dir),
        dataset=dataset,
        protocol=protocol,
        data_dir=path_of(data_dir),
        rank_by=rank_by,
        progress=progress,
    )
    for problem in found.problems:
        warnings.warn(str(problem), stacklevel=2)
    # What is missing is NaN in every column: pandas 2 would keep a None among texts, pandas 3 does not.
    values = [every_value(row).items() for row in all_rows(found.boards)]
    rows = [{name: math.nan if value is None else value for name, value in row} for row in values]
    return pd.DataFrame(rows).astype({"seeds": "Int64", "parameters": "Int64"})


def contrasts(
    results_dir: Folder = RESULTS,
    *,
    file: Folder | None = None,
    dataset: str | None = None,
    data_dir: Folder | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Questions that were written down, each answered by a paired test of two rows; one of them a line.

    `difference` is A minus B in the unit of the metric, `low` and `high` end its 95% interval, `p_corrected` is corrected
    (Holm) for all questions of the family. Where a row of a question is not there, `missing` names it and the answer is empty.

    Parameters
    ----------
    file
        TOML with `[[contrasts]]`; default `contrasts.toml` of the committed board, where its rows are there.
    dataset
        Only this one; default every dataset with runs.

    Raises
    ------
    PlanError
        The file makes no sense.
    DataError
        As `leaderboard`.
    """
    import pandas as pd

    from erc_bench.board.build import build_boards
    from erc_bench.board.formats.csv_file import CONTRAST_COLUMNS, contrast_values

    found = build_boards(
        Path(results_dir), dataset=dataset, contrasts=path_of(file), data_dir=path_of(data_dir), progress=progress
    )
    for problem in found.problems:
        warnings.warn(str(problem), stacklevel=2)
    return pd.DataFrame(contrast_values(found.boards), columns=list(CONTRAST_COLUMNS))


def across(
    results_dir: Folder = RESULTS,
    *,
    protocol: str | None = None,
    data_dir: Folder | None = None,
    rank_by: str | None = None,
    progress: Progress | None = None,
) -> AcrossBoard:
    """The board across all corpora that have complete runs: `rows` are systems, `pairs` were tested.

    A system has its row on each corpus, and a mean rank with a 95% interval if it has one on all; `holding` are the
    differences that hold on every corpus. `table()` gives the systems as a pandas DataFrame,
    in the columns of across.csv.

    Parameters
    ----------
    protocol
        Default the first that two corpora have ranked rows of.
    rank_by
        The metric that ranks on every corpus; default that of each.

    Raises
    ------
    UnknownNameError
        No protocol or metric of that name.
    UsageError
        A protocol whose rows are not ranked.
    DataMissingError
        Fewer than two corpora with runs, or the gold labels of one are not there.
    """
    from erc_bench.board.across_build import build_across

    found = build_across(
        Path(results_dir), protocol=protocol, data_dir=path_of(data_dir), rank_by=rank_by, progress=progress
    )
    for problem in found.problems:
        warnings.warn(str(problem), stacklevel=2)
    return found.board


def compare(
    a: Folder,
    b: Folder,
    *,
    metric: str | None = None,
    protocol: str | None = None,
    subset: str = "all",
    by: str | None = None,
    dataset: str | None = None,
    results_dir: Folder = RESULTS,
    data_dir: Folder | None = None,
) -> Pair:
    """Test whether row A differs from row B: paired, on the same resamples of whole dialogues.

    Parameters
    ----------
    a, b
        Rows, titled as on the board, or folders of runs.
    metric
        Default the one that ranks the dataset.
    protocol
        Default the first that covers both rows: `utterance`, or `last-turn` where one of them labelled nothing else.
    by
        A phenomenon (`shift`, `turn`, `length`, `speaker`, `label`): also compare on the utterances of each of its groups.
    dataset
        Needed where both rows exist on several.

    Raises
    ------
    UnknownNameError
        No such row, metric, protocol, subset or phenomenon.
    UsageError
        Rows that cannot be compared.
    """
    from erc_bench.inspection.compare import compare_sides, default_protocol, find_sides

    first, second = find_sides(results_path(results_dir), (str(a), str(b)), dataset)
    data = load_dataset(first.group.record.dataset, data_dir=data_dir)
    chosen = protocol or default_protocol(first, second)
    return compare_sides(first, second, data, protocol=chosen, subset=subset, metric=metric, by=by)


def power(
    effect: float,
    a: Folder | None = None,
    b: Folder | None = None,
    *,
    metric: str | None = None,
    protocol: str = "utterance",
    subset: str = "all",
    dataset: str | None = None,
    results_dir: Folder = RESULTS,
    data_dir: Folder | None = None,
) -> Plan:
    """How many dialogues and seeds it takes to show that two rows differ by an effect, from the variances of earlier runs.

    Parameters
    ----------
    effect
        A difference in the unit of the metric: 1.5 points of micro F1.
    a, b
        Two rows, titled as on the board. Without `b`, row A against every other that is no floor; without both, the best row.
    metric
        Default the one that ranks the dataset.
    dataset
        Needed where there are runs on several.

    Raises
    ------
    UnknownNameError
        No such row, metric, protocol or subset.
    UsageError
        An effect that is not above 0, or fewer than two rows.
    DataMissingError
        No complete run.
    """
    from erc_bench.inspection.power import dataset_of, plan

    names = [str(name) for name in (a, b) if name is not None]
    data = load_dataset(dataset_of(Path(results_dir), names, dataset), data_dir=data_dir)
    return plan(data, Path(results_dir), effect, names=names, protocol=protocol, subset=subset, metric=metric)


def show(
    run: Folder,
    *,
    compare: Folder | None = None,
    errors: bool = False,
    label: str | None = None,
    dialogue: str | None = None,
    seed: int | None = None,
    dataset: str | None = None,
    results_dir: Folder = RESULTS,
    data_dir: Folder | None = None,
    progress: Progress | None = None,
) -> Showing:
    """Dialogues with gold and predicted labels side by side.

    Parameters
    ----------
    run
        A run folder, or a row title or system name.
    compare
        Another, named likewise: then only utterances are selected where exactly one of the two is right.
    errors
        Only dialogues with an utterance that was labelled wrong.
    label
        Only this label, as gold label or as answer.
    dialogue
        Only the dialogue of this id.
    seed
        Which seed of a row; default its lowest.
    """
    from erc_bench.inspection.show import build_showing, find_other, find_run

    first = find_run(results_path(results_dir), str(run), dataset=dataset, seed=seed)
    name = first[0].record.dataset
    other = None
    if compare is not None:
        other, note = find_other(results_path(results_dir), str(compare), dataset=name, seed=seed)
        if note:
            (progress or SilentProgress()).note(note)
    loaded = load_dataset(name, data_dir=data_dir)
    return build_showing(loaded, first, other, errors=errors, label=label, dialogue=dialogue)


def transfer(
    results_dir: Folder = RESULTS,
    *,
    system: str | None = None,
    data_dir: Folder | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """What systems trained on one corpus reach on another: a line a system and pair of corpora.

    The columns are those of transfer.csv. `score` is in the metric that ranks the corpus it was tested on, over the labels
    that both have; `own` is the score of the same system trained on the test corpus, on the same utterances, and
    `difference` what separates the two, paired over dialogues; `_low` and `_high` end 95% intervals.

    Parameters
    ----------
    system
        Only this one, titled as on a board.

    Raises
    ------
    DataMissingError
        No run that was trained on another corpus.
    UnknownNameError
        None of that system.
    """
    import pandas as pd

    from erc_bench.board.formats.transfer_files import values
    from erc_bench.board.transfer import build_matrices

    every, problems = build_matrices(Path(results_dir), system=system, data_dir=path_of(data_dir), progress=progress)
    for problem in problems:
        warnings.warn(str(problem), stacklevel=2)
    return pd.DataFrame([values(cell) for cells in every.values() for cell in cells]).astype({"seeds": "Int64"})


@dataclass(frozen=True, slots=True)
class Verification:
    """What was recomputed: complete runs, board files, runs left out as incomplete, and every difference found."""

    runs: int
    boards: int
    incomplete_runs: int
    differences: tuple[Difference, ...]


def verify(
    runs: Iterable[Folder] = (),
    *,
    results_dir: Folder = RESULTS,
    output_dir: Folder | None = None,
    contrasts: Folder | None = None,
    data_dir: Folder | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Recompute run records and boards, and compare with what they say.

    Parameters
    ----------
    runs
        Folders of runs, or names of rows; none: every complete run in `results_dir`, then, if no run differs, the boards
        that lie there and in `output_dir`.
    contrasts
        The file of planned contrasts that the boards show; default that of the package.

    Raises
    ------
    UsageError
        A run of `runs` is not complete.
    DataMissingError
        There is no complete run.
    """
    from erc_bench.inspection.verify import verify_boards, verify_run
    from erc_bench.inspection.verify_transfer import verify_transfer

    folders, results = list(runs), results_path(results_dir)
    complete, incomplete = complete_runs(folders, results, "verified")
    if folders and incomplete:
        raise UsageError(not_complete(incomplete[0], "verified"))
    data = {name: load_dataset(name, data_dir=data_dir) for name in sorted({each.record.dataset for each in complete})}
    shown = progress or SilentProgress()
    for name in sorted({each.record.trained_on_name for each in complete} - {None, *data}, key=str):
        try:
            data[str(name)] = load_dataset(str(name), data_dir=data_dir)
        except DataError as error:
            shown.note(f"what was seen in training on {name} is not recomputed: {error}")
    differences: list[Difference] = []
    with shown.task("Recomputing runs", total=len(complete), unit="runs") as task:
        for each in complete:
            differences += verify_run(each, data[each.record.dataset], data.get(each.record.trained_on_name or ""))
            task.advance()
    boards = 0
    if not folders and not differences:
        places = [results, Path(output_dir or results)]
        boards, differences = verify_boards(results, places, path_of(data_dir), path_of(contrasts))
        matrices, others = verify_transfer(results, places, path_of(data_dir))
        boards, differences = boards + matrices, [*differences, *others]
    return Verification(len(complete), boards, len(incomplete), tuple(differences))
