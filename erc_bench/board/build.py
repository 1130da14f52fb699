"""From a results folder to boards, and from boards to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from erc_bench.board.beside import rarely_collected
from erc_bench.board.contrasts import Contrasts, answered, read_contrasts
from erc_bench.board.corpora import Asked, Corpora, Corpus
from erc_bench.board.formats.pictures import FORMATS as PICTURE_FORMATS
from erc_bench.board.formats.pictures import write_pictures
from erc_bench.board.model import Board
from erc_bench.board.published import published_rows
from erc_bench.contract.domain import SPLITS, Dataset
from erc_bench.data import dataset_spec
from erc_bench.errors import DataError, DataMissingError, UnknownNameError, UsageError
from erc_bench.files import remove_leftovers, write_atomically
from erc_bench.progress import Progress
from erc_bench.protocols.protocol import Protocol
from erc_bench.protocols.registry import find_protocol, protocol_of, protocols
from erc_bench.protocols.rows import Row
from erc_bench.records.groups import RunGroup, group_runs
from erc_bench.records.record import Run, survey_runs
from erc_bench.scoring.catalogue import METRICS, ranking_metric


@dataclass(frozen=True, slots=True)
class Boards:
    """The boards of a results folder, and what is in it but on none of them.

    `incomplete` runs are not complete; `problems` say which runs cannot be read, and which datasets not be scored.
    """

    boards: tuple[Board, ...]
    incomplete: tuple[Run, ...]
    problems: tuple[DataError, ...] = ()


@rarely_collected()
def build_boards(
    results: Path,
    *,
    dataset: str | None = None,
    protocol: str | None = None,
    data_dir: Path | None = None,
    rank_by: str | None = None,
    contrasts: Path | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> Boards:
    """Compute the boards of every dataset that has complete runs, or of one dataset.

    A run that cannot be read, and a dataset whose runs cannot be scored, are left out and named, unless that leaves
    nothing or the dataset was asked for.

    Parameters
    ----------
    dataset
        Only this one; it may then be without runs if there are published results.
    protocol
        Only this one; default all that have rows.
    rank_by
        Name of the metric that ranks the rows; default the metric of each dataset.
    contrasts
        File of planned contrasts; default those of the package, where their rows are there.
    processes
        How many may compute side by side; more than one only for programs whose main module can be imported again.

    Raises
    ------
    UsageError
        No dataset, protocol or metric of that name, or a protocol that applies to no dataset with runs.
    PlanError
        The file of contrasts makes no sense.
    DataMissingError
        No complete run, or the gold labels that the runs are scored against are not there.
    DataCorruptError
        A run made on other data, or whose predictions were altered.
    """
    if dataset is not None:
        dataset = dataset_spec(dataset, data_dir).name
    wanted = [find_protocol(protocol)] if protocol is not None else list(protocols().values())
    if rank_by is not None and rank_by not in METRICS:
        raise UnknownNameError("a metric", rank_by, METRICS)
    questions = read_contrasts(contrasts)
    found = survey_runs(results)
    problems = [error for folder, error in found.problems.items() if dataset in (None, folder.parts[-4])]
    runs = [run for run in found.runs if dataset in (None, run.record.dataset)]
    corpora = Corpora(Asked.of(group_runs(runs), results, data_dir, rank_by, questions), progress)
    corpora.share(wanted, processes)
    names = [dataset] if dataset is not None else corpora.names
    every, unscored = _every(names, corpora, wanted, protocol, rank_by, questions)
    if dataset is not None and unscored:
        raise unscored[0]
    problems += unscored
    boards = tuple(board for board in every if not board.is_empty)
    if not boards:
        raise problems[0] if problems else _nothing(results, dataset, protocol, len(runs), corpora)
    return Boards(boards, tuple(run for run in runs if run.record.status != "complete"), tuple(problems))


def _every(
    names: Sequence[str],
    corpora: Corpora,
    wanted: Sequence[Protocol],
    protocol: str | None,
    rank_by: str | None,
    contrasts: Contrasts,
) -> tuple[list[Board], list[DataError]]:
    """The boards of datasets, and why others have none."""
    boards, problems = [], []
    for name in names:
        try:
            if name in corpora.names:
                boards.append(_board(corpora, name, wanted, published_rows(name, protocol), contrasts))
            else:
                boards.append(published_board(name, protocol, rank_by))
        except DataError as error:
            problems.append(error)
    return boards, problems


def _nothing(
    results: Path, dataset: str | None, protocol: str | None, runs: int, corpora: Corpora
) -> DataMissingError | UsageError:
    measured = [corpora.corpus(name).dataset for name in corpora.names]
    if protocol and measured and not any(find_protocol(protocol).applies_to(each) for each in measured):
        return find_protocol(protocol).unfit(measured[0])
    return DataMissingError(
        f"{results} must hold a complete run{f' on {dataset}' if dataset else ''}"
        f"{f' for the protocol {protocol}' if protocol else ''}, got none ({runs} runs found). Make one, for "
        f"example: erc-bench run --system tfidf-logreg --dataset {dataset or 'sample'}"
    )


def measured_board(
    dataset: Dataset,
    groups: Sequence[RunGroup],
    wanted: Sequence[Protocol] | None = None,
    published: Sequence[Row] = (),
    progress: Progress | None = None,
    rank_by: str | None = None,
    contrasts: Contrasts | None = None,
) -> Board:
    """The board of a dataset from its runs under some protocols, by default all, ranked by its metric or by another.

    Contrasts are answered if given, and left out if they are on rows of protocols that are not wanted.
    """
    asked = {dataset.name: Corpus(dataset, groups, rank_by, progress, contrasts)}
    scored = list(protocols().values()) if wanted is None else wanted
    return _board(Corpora({}, opened=asked), dataset.name, scored, published, contrasts)


def _board(
    corpora: Corpora,
    name: str,
    wanted: Sequence[Protocol],
    published: Sequence[Row],
    contrasts: Contrasts | None,
) -> Board:
    sections = [section for protocol in wanted for section in corpora.sections(name, protocol)]
    corpus = corpora.corpus(name)
    dataset = corpus.dataset
    sizes = {split: (len(dataset.split(split)), sum(map(len, dataset.split(split)))) for split in SPLITS}
    metric = ranking_metric(dataset)
    asked = [] if contrasts is None else answered(contrasts, dataset.name, sections, corpus.runs.rows, metric)
    answers = tuple(each for each in asked if each.contrast.protocol in {protocol.name for protocol in wanted})
    return Board(
        dataset.name,
        dataset.fingerprint,
        sizes,
        dataset.labels,
        tuple(sections),
        tuple(published),
        corpus.ranking,
        answers,
    )


def published_board(name: str, protocol: str | None = None, rank_by: str | None = None) -> Board:
    """The board of a dataset without runs: what the literature reports. Needs no data."""
    spec = dataset_spec(name)
    splits = spec.facts.splits if spec.facts else {}
    sizes = {split: (facts.dialogues, facts.utterances) for split, facts in splits.items()}
    fingerprint = spec.facts.fingerprint if spec.facts else ""
    ranking = METRICS[rank_by] if rank_by else ranking_metric(name)
    return Board(name, fingerprint, sizes, spec.labels, (), published_rows(name, protocol), ranking)


def narrowed(board: Board, protocol: str | None) -> Board:
    """The part of a board that belongs to one protocol, or (None) all of it."""
    return replace(
        board,
        sections=tuple(section for section in board.sections if protocol in (None, protocol_of(section.protocol))),
        published=tuple(row for row in board.published if protocol in (None, row.protocol)),
        contrasts=tuple(each for each in board.contrasts if protocol in (None, each.contrast.protocol)),
    )


def _markdown(boards: Sequence[Board]) -> str:
    from erc_bench.board.formats.markdown import render_markdown

    return render_markdown(boards)


def _csv(boards: Sequence[Board]) -> str:
    from erc_bench.board.formats.csv_file import render_csv

    return render_csv(boards)


def _page(boards: Sequence[Board]) -> str:
    from erc_bench.board.formats.page import render_page

    return render_page(
        [section for board in boards for section in board.sections],
        [row for board in boards for row in board.published],
        [(board.dataset, board.contrasts) for board in boards if board.contrasts],
    )


def _contrasts(boards: Sequence[Board]) -> str:
    from erc_bench.board.formats.csv_file import render_contrasts

    return render_contrasts(boards)


def _latex(boards: Sequence[Board]) -> str:
    from erc_bench.board.formats.latex import render_latex

    return render_latex(boards)


PICTURE_FOLDER = "pictures"
FORMATS: Mapping[str, tuple[str, Callable[[Sequence[Board]], str]]] = {
    "md": ("leaderboard.md", _markdown),
    "csv": ("leaderboard.csv", _csv),
    "html": ("leaderboard.html", _page),
    "latex": ("leaderboard.tex", _latex),
    "contrasts": ("leaderboard.contrasts.csv", _contrasts),
}


def parse_formats(text: str) -> tuple[str, ...]:
    """Format names from a comma-separated list.

    Raises
    ------
    UsageError
        An empty list.
    UnknownNameError
        A format that does not exist.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = [*FORMATS, *PICTURE_FORMATS]
    if not names:
        raise UsageError(f"--format must name at least one of {', '.join(known)}, got {text!r}.")
    for name in names:
        if name not in known:
            raise UnknownNameError("a format", name, known)
    return tuple(dict.fromkeys(names))


def rendered(boards: Sequence[Board], format_name: str) -> bytes:
    """The content of a board file: the same boards give the same bytes."""
    # A record may hold half of a surrogate pair (JSON allows it), which no file can.
    return FORMATS[format_name][1](boards).encode("utf-8", "replace")


STEM = "leaderboard"
BY = "-by-"


def stem_of(
    dataset: str | None = None, protocol: str | None = None, rank_by: str | None = None, *, stem: str = STEM
) -> str:
    """What the files of a board are called: one of a part, or in another order, never takes the place of the whole one."""
    return "-".join([stem, *(part for part in (dataset, protocol) if part)]) + (f"{BY}{rank_by}" if rank_by else "")


def ending(name: str) -> str:
    """What follows the stem in the name of a board file: `.csv`, `.contrasts.csv`."""
    return name.removeprefix(STEM)


def write_boards(boards: Sequence[Board], output: Path, formats: Sequence[str], stem: str = STEM) -> list[Path]:
    """Write one file a format, and pictures below `pictures/`, and return their paths.

    The texts are all computed before the first is written.
    """
    contents = [
        (output / f"{stem}{ending(FORMATS[name][0])}", rendered(boards, name)) for name in formats if name in FORMATS
    ]
    output.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output)
    for path, content in contents:
        write_atomically(path, content)
    pictures = [name for name in formats if name in PICTURE_FORMATS]
    sections = [section for board in boards for section in board.sections]
    drawn = write_pictures(sections, output / PICTURE_FOLDER, pictures) if pictures else []
    return [*(path for path, _ in contents), *drawn]
