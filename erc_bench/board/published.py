"""Results from the literature: `leaderboard/published.csv`, checked when it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from erc_bench.errors import DataCorruptError
from erc_bench.protocols.registry import protocols
from erc_bench.protocols.rows import Row, Score
from erc_bench.protocols.subsets import ALL

FILE = "published.csv"

FLAGS: Mapping[str, str] = {
    "macro over 7 labels": "the macro F1 is a mean over 7 labels, neutral included, and not over the 6 emotions",
    "weighted F1 labelled macro": "the evaluator of the released code prints a weighted F1 under the name macro",
    "last turn only": "scored on the last utterance of each of the 1,000 test dialogues, not on all 7,740 utterances",
    "random triplets": (
        "the released code scores 7,635 random triplets of test utterances, with anchor and negative classes drawn "
        "uniformly: a triplet counts as right where the anchor is nearer to the positive, else as the label of the negative"
    ),
    "64.01 in the text": "Table 2 gives 64.07, the text of the same paper (section 2) gives 64.01",
    "MCC 0.008 by its confusion matrix": "the table prints an MCC of 0.08; the published confusion matrix gives 0.008",
    "falls back to happiness": (
        "an answer in which the released parser finds no label counts as happiness, and nearly every answer is such; "
        "always answering happiness gives 42.80 micro F1 and 7.37 macro F1 on these utterances"
    ),
    "not in Table 2": "reported in the literature before the paper, and not in its Table 2",
}


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Percent = Annotated[Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None, BeforeValidator(_none_if_empty)]
Correlation = Annotated[
    Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None, BeforeValidator(_none_if_empty)
]
Text = Annotated[str, Field(min_length=1)]


class PublishedResult(BaseModel):
    """One line of published.csv: F1 in percent, MCC in -1..1, None where the source gives none."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    system: Text
    reference: Text
    dataset: Text
    protocol: Text
    micro_f1: Percent
    macro_f1: Percent
    mcc: Correlation
    flags: tuple[str, ...]
    source: Text

    @model_validator(mode="before")
    @classmethod
    def _split_flags(cls, values: dict[str, object]) -> dict[str, object]:
        text = values.get("flags")
        if not isinstance(text, str):
            return values
        return values | {"flags": tuple(flag.strip() for flag in text.split(";") if flag.strip())}

    @model_validator(mode="after")
    def _check(self) -> PublishedResult:
        unknown = [flag for flag in self.flags if flag not in FLAGS]
        if unknown:
            raise ValueError(f"flags must be among {', '.join(FLAGS)}, got {', '.join(unknown)}")
        if self.micro_f1 is None and self.macro_f1 is None and self.mcc is None:
            raise ValueError("at least one of micro_f1, macro_f1 and mcc must be given, got none")
        if self.protocol not in protocols():
            raise ValueError(f"protocol must be one of {', '.join(protocols())}, got {self.protocol}")
        expected = protocols()[self.protocol].published_flag
        if expected and expected not in self.flags:
            raise ValueError(f"a result of the protocol {self.protocol} must carry the flag {expected!r}, got none")
        return self

    def row(self) -> Row:
        """The result as a row of the board: no rank, no interval."""
        values = {"micro_f1": self.micro_f1, "macro_f1": self.macro_f1, "mcc": self.mcc}
        return Row(
            title=self.system,
            dataset=self.dataset,
            protocol=self.protocol,
            subset=ALL.name,
            evidence="published",
            source=self.source,
            system=self.system,
            reference=self.reference,
            scores={name: Score(value) for name, value in values.items() if value is not None},
            flags=self.flags,
            notes=tuple(FLAGS[flag] for flag in self.flags),
        )


def published_results() -> tuple[PublishedResult, ...]:
    """Every published result that comes with the package, in the order of the file.

    Raises
    ------
    DataCorruptError
        The file is damaged; every problem is named with its line.
    """
    return parse_published(files("erc_bench.leaderboard").joinpath(FILE).read_text("utf-8"))


def parse_published(text: str) -> tuple[PublishedResult, ...]:
    """Published results from the text of a CSV file."""
    found: list[PublishedResult] = []
    problems: list[str] = []
    seen: dict[tuple[str, str, str], int] = {}
    for line, cells in _lines(text):
        try:
            result = PublishedResult.model_validate(cells)
        except ValidationError as error:
            problems += [f"line {line}: {'.'.join(map(str, e['loc'])) or 'row'}: {e['msg']}" for e in error.errors()]
            continue
        key = (result.system, result.dataset, result.protocol)
        if key in seen:
            problems.append(f"line {line}: {result.system} stands already on line {seen[key]} for the same protocol")
        seen.setdefault(key, line)
        found.append(result)
    if problems:
        raise DataCorruptError(
            "\n".join(
                [f"{FILE} must be valid, got:", *(f"- {problem}" for problem in problems), "Install erc-bench again."]
            )
        )
    return tuple(found)


def _lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text), restkey="surplus", strict=True)
    if reader.fieldnames != list(PublishedResult.model_fields):
        raise DataCorruptError(
            f"the columns of {FILE} must be {', '.join(PublishedResult.model_fields)}, got "
            f"{', '.join(reader.fieldnames or [])}. Install erc-bench again."
        )
    for cells in reader:
        yield reader.line_num, cells


def published_rows(dataset: str, protocol: str | None = None) -> tuple[Row, ...]:
    """The published rows of a dataset, of one protocol or (None) of all."""
    return tuple(
        result.row()
        for result in published_results()
        if result.dataset == dataset and protocol in (None, result.protocol)
    )
