"""A corpus of one's own: a folder with `dataset.toml` and a file a split, JSON lines or CSV.

`dataset.toml` says what a `DatasetSpec` says; the files are `train.jsonl`, `validation.jsonl` and `test.jsonl`, or the
same with `.csv`, or those that it names. `erc-bench data new` writes an example.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import SPLITS, LabelSet, Split
from erc_bench.contract.registry import DATASET_GROUP, metric_names, registered
from erc_bench.data.archives import file_bytes
from erc_bench.data.common_labels import problems_of
from erc_bench.data.jsonl import read_jsonl
from erc_bench.data.spec import DatasetSpec, SplitReading
from erc_bench.data.table import Columns, read_csv
from erc_bench.data.text import checked_text, decoded, shortened
from erc_bench.errors import DataCorruptError, DataMissingError

DATASET_FILE = "dataset.toml"
TEXTS = ("name", "title", "neutral", "ranking_metric", "licence", "reference", "link")
KEYS = (*TEXTS, "labels", "files", "columns", "common_labels")
FORMATS = (".jsonl", ".csv")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass
class _Settings:
    """What `dataset.toml` says, as far as it makes sense, and what does not."""

    path: Path
    lines: list[str]
    values: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)

    def problem(self, key: str, message: str) -> None:
        """Note what is wrong with a key, with its line if it stands in one."""
        line = next((n for n, text in enumerate(self.lines, 1) if re.match(rf"\s*\[?{re.escape(key)}\b", text)), None)
        where = f"line {line} of {self.path}" if line else str(self.path)
        self.problems.append(f"{where}: {message}.")


def is_folder_dataset(folder: Path) -> bool:
    """Whether a folder has a `dataset.toml`."""
    return (folder / DATASET_FILE).is_file()


def folder_spec(folder: Path) -> DatasetSpec:
    """The dataset that a folder describes.

    Raises
    ------
    DataMissingError
        There is no `dataset.toml` in it.
    DataCorruptError
        It is not as it must be; every problem is named with its line.
    """
    spec, problems = described(folder)
    if spec is None or problems:
        heading = f"{folder / DATASET_FILE} must describe a dataset, but:"
        raise DataCorruptError("\n".join([heading, *(f"- {problem}" for problem in problems)]))
    return spec


def described(folder: Path) -> tuple[DatasetSpec | None, list[str]]:
    """The dataset that a folder describes, as far as its `dataset.toml` makes sense, and what does not.

    There is none where the labels make no sense.

    Raises
    ------
    DataMissingError
        There is no `dataset.toml` in it.
    DataCorruptError
        It is not TOML.
    """
    settings = _read(folder)
    labels = _labels(settings)
    texts = {key: _text(settings, key) for key in TEXTS}
    name = texts["name"] or folder.resolve().name
    if unfit := name_problem(name):
        settings.problem("name", unfit)
    for key in ("ranking_metric", "licence"):
        if key not in settings.values:
            settings.problem(key, f"{key} must be given, got nothing")
    ranking, metrics = texts["ranking_metric"], metric_names()
    if ranking and ranking not in metrics:
        settings.problem(
            "ranking_metric", f"ranking_metric must be one of {', '.join(metrics)}, got {shortened(ranking)}"
        )
    named = _table(settings, "files", SPLITS)
    files, columns = _files(settings, folder, named), _columns(settings)
    for key in settings.values:
        if key not in KEYS:
            settings.problem(key, f"a key must be one of {', '.join(KEYS)}, got {shortened(key)}")
    if labels is None:
        return None, settings.problems

    def read(place: Path, split: Split) -> SplitReading:
        path = place / files[split]
        if split not in named and not path.is_file():
            names = " or ".join(f"{split}{ending}" for ending in FORMATS)
            raise DataMissingError(f"{place} must hold the file {names}, got neither.")
        return read_csv(path, split, labels, columns) if path.suffix == ".csv" else read_jsonl(path, split, labels)

    spec = DatasetSpec(
        name=name,
        common_labels=_common_labels(settings, labels),
        title=texts["title"] or f"a corpus in {folder.name}",
        labels=labels,
        ranking_metric=ranking,
        licence=texts["licence"],
        reference=texts["reference"] or "-",
        link=texts["link"] or "-",
        read=read,
        files=files,
        how_to_get=f"`erc-bench data check {folder}` says everything that is wrong with it.",
        fixed=folder,
        fixed_by=DATASET_FILE,
    )
    return spec, settings.problems


def name_problem(name: str) -> str | None:
    """What is wrong with the name of a corpus of one's own."""
    if not _NAME.fullmatch(name):
        allowed = "a letter or digit and then at most 63 letters, digits, '-', '_' and '.'"
        return f"the name must be {allowed}, got {shortened(name)}"
    if name in registered(DATASET_GROUP):
        return f"the name must be another than that of a registered dataset, got {name!r}"
    return None


def _read(folder: Path) -> _Settings:
    path = folder / DATASET_FILE
    if not path.is_file():
        raise DataMissingError(
            f"{folder} must hold {DATASET_FILE}, which says what the corpus is, got none. `erc-bench data new NAME` writes an "
            "example."
        )
    problems: list[str] = []
    text = decoded(file_bytes(path), str(path), problems)
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        where = f"line {found[1]} of {path}" if found else str(path)
        raise DataCorruptError(f"{where} must be TOML, got: {error}.") from None
    return _Settings(path, text.split("\n"), values, problems)


def _text(settings: _Settings, key: str) -> str:
    if key not in settings.values:
        return ""
    try:
        return checked_text(settings.values[key], key)
    except ValueError as error:
        settings.problem(key, str(error))
        return ""


def _labels(settings: _Settings) -> LabelSet | None:
    names = settings.values.get("labels")
    try:
        if not isinstance(names, list) or len(names) < 2:
            raise ValueError(f"labels must be a list of two names or more, got {shortened(names)}")
        names = [checked_text(name, "label") for name in names]
        if len(set(names)) < len(names):
            raise ValueError(f"each label must stand once, got {shortened(names)}")
    except ValueError as error:
        settings.problem("labels", str(error))
        return None
    neutral = settings.values.get("neutral")
    if neutral is not None and neutral not in names:
        settings.problem("neutral", f"neutral must be one of the labels or left out, got {shortened(neutral)}")
        neutral = None
    return LabelSet(tuple(names), neutral)


def _files(settings: _Settings, folder: Path, named: Mapping[str, str]) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for split in SPLITS:
        present = [f"{split}{ending}" for ending in FORMATS if (folder / f"{split}{ending}").is_file()]
        if split not in named and len(present) > 1:
            settings.problem("files", f"the {split} split must be one file, or be named under [files], got {present}")
        found[split] = named.get(split) or (present or [f"{split}{FORMATS[0]}"])[0]
        if Path(found[split]).suffix not in FORMATS:
            settings.problem(split, f"a file must end in {' or '.join(FORMATS)}, got {shortened(found[split])}")
    return found


def _columns(settings: _Settings) -> Columns:
    given = _table(settings, "columns", tuple(asdict(Columns())))
    columns = Columns(**given)
    names = asdict(columns)
    for column in dict.fromkeys(names.values()):
        same = [key for key, name in names.items() if name == column]
        if len(same) > 1:
            last = [key for key in given if key in same][-1]
            settings.problem(last, f"{' and '.join(same)} must be different columns, got {shortened(column)} for each")
    return columns


def _common_labels(settings: _Settings, labels: LabelSet) -> dict[str, str]:
    given = _table(settings, "common_labels", labels.names)
    for label, problem in problems_of(given, labels.names).items():
        settings.problem(label, problem)
    return given


def _table(settings: _Settings, key: str, keys: tuple[str, ...]) -> dict[str, str]:
    given = settings.values.get(key, {})
    if not isinstance(given, dict):
        settings.problem(key, f"{key} must be a table with the keys {', '.join(keys)}, got {shortened(given)}")
        return {}
    for name, value in given.items():
        if name not in keys or not isinstance(value, str) or not value.strip():
            settings.problem(name, f"{key} must give names for {', '.join(keys)}, got {name} = {shortened(value)}")
    return {name: value for name, value in given.items() if name in keys and isinstance(value, str)}
