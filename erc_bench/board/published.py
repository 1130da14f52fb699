"""Results from the literature: `leaderboard/published.csv`, checked when it is read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from erc_bench.errors import DataCorruptError
from erc_bench.protocols.registry import protocols
from erc_bench.protocols.rows import Row, Score
from erc_bench.protocols.subsets import ALL

FILE = "published.csv"
SCORES = ("micro_f1", "macro_f1", "macro_f1_all", "weighted_f1_all", "accuracy", "mcc")

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
    "macro likely over 7 labels": (
        "the number stands in one results table with a macro F1 that the released code computes over 7 labels, neutral "
        "included, and is likely computed in the same way"
    ),
    "multimodal input": "the system hears or sees the speakers, it does not read the text alone",
    "future context": "the system reads utterances that come after the one it labels",
    "external knowledge": "the system is given a knowledge base, or what another model generates about the dialogue",
    "extra training data": "trained on labelled data of other corpora, too",
    "LLM fine-tuned": "a large generative language model, fine-tuned on the training split",
    "epoch chosen on the test set": (
        "the released code trains without a development set and prints the highest test score of all epochs"
    ),
    "best of several variants": "the source compares variants on the test split; this is the best of them on this corpus",
    "settings tuned to the seed": "by the authors, the best settings change with the random seed",
    "reproduced by its authors": "measured again by the authors with their released code; the paper may print another number",
    "kind of F1 not stated": "the source calls the number an F1 and does not say over which labels, or how weighted",
    "other figures in print": "other sources give another number for the same system; the source column says which",
}
CHECKED: Mapping[str, str] = {
    "paper text": "the number was read in the paper that reports it",
    "repository README": "the number was read in what the authors, or others of their group, write beside the released code",
    "results page": "the number was read on a page that lists the results of papers; the paper itself was not at hand",
    "other paper's table": "the number was read where another paper, or its repository, compares systems",
}
"""Where somebody read the number of a published row before it came here."""


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Percent = Annotated[Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None, BeforeValidator(_none_if_empty)]
Correlation = Annotated[
    Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None, BeforeValidator(_none_if_empty)
]
Text = Annotated[str, Field(min_length=1)]


class PublishedResult(BaseModel):
    """One line of published.csv: F1 and accuracy in percent, MCC in -1..1, None where the source gives none.

    `reference` ends with the year; `source` says where the number stands, `link` leads to the paper, and `checked` says
    where the number was read (`CHECKED`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    system: Text
    reference: Text
    dataset: Text
    protocol: Text
    micro_f1: Percent
    macro_f1: Percent
    macro_f1_all: Percent
    weighted_f1_all: Percent
    accuracy: Percent
    mcc: Correlation
    flags: tuple[str, ...]
    source: Text
    link: Annotated[str, Field(pattern=r"^(https://\S+)?$")]
    checked: Text

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
        if not self.values:
            raise ValueError(f"at least one of {', '.join(SCORES)} must be given, got none")
        if self.checked not in CHECKED:
            raise ValueError(f"checked must be one of {', '.join(CHECKED)}, got {self.checked}")
        if not re.search(r"\b(19|20)\d\d$", self.reference):
            raise ValueError(f"reference must end with the year, got {self.reference}")
        if self.protocol not in protocols():
            raise ValueError(f"protocol must be one of {', '.join(protocols())}, got {self.protocol}")
        expected = protocols()[self.protocol].published_flag
        if expected and expected not in self.flags:
            raise ValueError(f"a result of the protocol {self.protocol} must carry the flag {expected!r}, got none")
        return self

    @property
    def values(self) -> dict[str, float]:
        """The scores that the source gives, by the name of their metric."""
        found = {name: getattr(self, name) for name in SCORES}
        return {name: value for name, value in found.items() if value is not None}

    def row(self) -> Row:
        """The result as a row of the board: no rank, no interval."""
        return Row(
            title=self.system,
            dataset=self.dataset,
            protocol=self.protocol,
            subset=ALL.name,
            evidence="published",
            source="; ".join(filter(None, (self.source, self.link))),
            checked=self.checked,
            system=self.system,
            reference=self.reference,
            scores={name: Score(value) for name, value in self.values.items()},
            flags=self.flags,
            notes=tuple(FLAGS[flag] for flag in self.flags),
        )


def published_results(dataset: str | None = None) -> tuple[PublishedResult, ...]:
    """Every published result that comes with the package, or those on one dataset, in the order of the file.

    Raises
    ------
    DataCorruptError
        The file is damaged; every problem is named with its line.
    """
    every = parse_published(files("erc_bench.leaderboard").joinpath(FILE).read_text("utf-8"))
    return tuple(result for result in every if dataset in (None, result.dataset))


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
    try:
        yield from _cells(reader)
    except csv.Error as error:
        raise DataCorruptError(
            f"{FILE} must be CSV, got line {reader.line_num}: {error}. Install erc-bench again."
        ) from None


def _cells(reader: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    if reader.fieldnames != list(PublishedResult.model_fields):
        raise DataCorruptError(
            f"the columns of {FILE} must be {', '.join(PublishedResult.model_fields)}, got "
            f"{', '.join(reader.fieldnames or [])}. Install erc-bench again."
        )
    for cells in reader:
        yield reader.line_num, cells


def published_rows(dataset: str, protocol: str | None = None) -> tuple[Row, ...]:
    """The published rows of a dataset, of one protocol or (None) of all."""
    return tuple(result.row() for result in published_results(dataset) if protocol in (None, result.protocol))
