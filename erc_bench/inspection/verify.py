"""Recomputing what run records and boards claim, and naming every difference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from erc_bench.board.build import BY, FORMATS, STEM, build_boards, ending, narrowed, published_board, rendered
from erc_bench.board.model import Board
from erc_bench.board.published import published_results
from erc_bench.contract.domain import Dataset, targets_of
from erc_bench.data.overlap import seen_elsewhere
from erc_bench.data.transfer import map_of
from erc_bench.errors import DataError
from erc_bench.inspection.differences import Difference, unlike_all
from erc_bench.inspection.verify_across import verify_across
from erc_bench.protocols.headline import headline_scores
from erc_bench.protocols.registry import protocol_of, protocols
from erc_bench.records.predictions import predictions_sha256, read_predictions
from erc_bench.records.record import Run, run_folder
from erc_bench.records.seen import SEEN_FILE, read_seen
from erc_bench.scoring.catalogue import METRICS

SCORE_TOLERANCE = 1.5e-6  # recorded scores are rounded to six decimals, perhaps on another machine


def verify_run(run: Run, dataset: Dataset, train: Dataset | None = None) -> list[Difference]:
    """Every difference between a complete run record and what is recomputed from its predictions.

    `train` is the other corpus that the run was trained on, where there is one and it is at hand.
    """
    found = [Difference(run.folder, what) for what in _run_differences(run, dataset)]
    if train is not None and not found:
        found += [Difference(run.folder, what) for what in _training_differences(run, dataset, train)]
    return found


def _training_differences(run: Run, dataset: Dataset, train: Dataset) -> Iterator[str]:
    """What a record says of the other corpus that it was trained on, against that corpus."""
    said = run.record.trained_on
    if said is None:
        return
    if said.fingerprint != train.fingerprint:
        yield (
            f"the fingerprint of {train.name} must be {train.fingerprint[:12]}…, got {said.fingerprint[:12]}…: trained on "
            "other data"
        )
        return
    mapped = map_of(said.labels, dataset.labels)
    for what, recorded, recomputed in (
        ("the SHA-256 of the labels", said.labels_sha256, mapped.sha256),
        ("the training utterances left out", said.left_out, mapped.left_out(train.train)),
    ):
        if recorded != recomputed:
            yield f"{what} is recorded as {recorded}, recomputed {recomputed}"
    seen = read_seen(run.folder, dataset, said.fingerprint)
    recomputed_seen = seen_elsewhere(dataset.test, train.train)
    if seen != recomputed_seen:
        yield (
            f"{SEEN_FILE} must name the {len(recomputed_seen):,} test utterances that stand in {train.name}, got "
            f"{len(seen - recomputed_seen):,} others and {len(recomputed_seen - seen):,} too few"
        )


def _run_differences(run: Run, dataset: Dataset) -> Iterator[str]:
    record = run.record
    if run_folder(Path(), record).parts != run.folder.resolve().parts[-4:]:
        yield f"the folder must be …/{run_folder(Path(), record)} as its run.json says, got another"
    if record.dataset_fingerprint != dataset.fingerprint:
        yield (
            f"the dataset fingerprint must be {dataset.fingerprint[:12]}…, got {record.dataset_fingerprint[:12]}…: made on "
            "other data"
        )
        return
    try:
        found = predictions_sha256(run.folder)
        if found != record.predictions_sha256:
            yield f"the SHA-256 of the predictions is recorded as {record.predictions_sha256[:12]}…, recomputed {found[:12]}…"
        predictions = read_predictions(run.folder)
        scores = headline_scores(dataset, record.targets, predictions.values(), record.shared_labels)
    except DataError as error:
        yield str(error)
        return
    targets = targets_of(dataset.test, record.targets)
    surplus = len(predictions.keys() - set(targets))
    if surplus:
        yield f"predictions must be for the {len(targets):,} targets of the run, got {surplus:,} others"
    if record.predictions != len(predictions):
        yield f"the number of predictions is recorded as {record.predictions:,}, recomputed {len(predictions):,}"
    yield from _score_differences(record.scores, scores)
    for protocol in protocols().values():
        yield from protocol.differences(run, dataset)


def _score_differences(recorded: Mapping[str, float], recomputed: Mapping[str, float]) -> Iterator[str]:
    """A record answers for the scores that it states: a metric that came later refuses no old record."""
    if not recorded:
        yield "scores must be recorded, got none"
    for name, value in recorded.items():
        if name in recomputed and not math.isclose(value, recomputed[name], rel_tol=0, abs_tol=SCORE_TOLERANCE):
            yield f"{name} is recorded as {value}, recomputed {recomputed[name]}"
    unknown = sorted(recorded.keys() - recomputed.keys())
    if unknown:
        yield (
            f"recorded scores must be among {', '.join(recomputed)}, got {', '.join(unknown)}: a version of erc-bench or a "
            "package that knows them is needed to check them"
        )


def verify_boards(
    results: Path, folders: Sequence[Path], data_dir: Path | None = None, contrasts: Path | None = None
) -> tuple[int, list[Difference]]:
    """Compare every board file in the folders with what its run records give: the number compared, the differences.

    A board may have been written for one dataset or one protocol only: it is right if it equals, byte for byte, what
    `erc-bench leaderboard` writes for any such choice, in the order that its name says.
    """
    files: dict[str | None, list[tuple[Path, str]]] = {}
    ends = [ending(name) for name, _ in FORMATS.values()]
    for folder in dict.fromkeys(folders):
        for format_name, (name, _) in FORMATS.items():
            longer = tuple(end for end in ends if end.endswith(ending(name)) and end != ending(name))
            parts = sorted(folder.glob(f"{STEM}-*{ending(name)}"))
            narrow = [path for path in parts if not path.name.endswith(longer)]
            for path in [path for path in (folder / name, *narrow) if path.is_file()]:
                rank_by = path.stem.rpartition(BY)[2] if BY in path.stem else None
                files.setdefault(rank_by if rank_by in METRICS else None, []).append((path, format_name))
    differences = [
        difference
        for rank_by, named in files.items()
        for difference in _board_differences(results, named, rank_by, data_dir, contrasts)
    ]
    others, unlike = verify_across(results, folders, data_dir)
    return sum(map(len, files.values())) + others, differences + unlike


def _board_differences(
    results: Path,
    files: Sequence[tuple[Path, str]],
    rank_by: str | None,
    data_dir: Path | None,
    contrasts: Path | None,
) -> list[Difference]:
    built = build_boards(results, data_dir=data_dir, rank_by=rank_by, contrasts=contrasts)
    boards = {board.dataset: board for board in built.boards}
    everything = tuple(boards.values())
    for result in published_results():
        boards.setdefault(result.dataset, published_board(result.dataset, rank_by=rank_by))
    selections: list[tuple[Board, ...]] = [everything, *((board,) for board in boards.values())]
    narrowings: list[str | None] = [
        None,
        *dict.fromkeys(name for board in boards.values() for name in _protocols_of(board)),
    ]
    differences = []
    for path, format_name in files:
        candidates = (
            rendered(choice, format_name)
            for protocol, selection in product(narrowings, selections)
            if (choice := [part for board in selection if not (part := narrowed(board, protocol)).is_empty])
        )
        differences += unlike_all(path, candidates)
    return differences


def _protocols_of(board: Board) -> list[str]:
    return [*map(protocol_of, board.protocols()), *(row.protocol for row in board.published)]
