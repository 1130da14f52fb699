"""What the paper prints: `leaderboard/paper_tables.json`, checked when it is read. Table 2 is in `published.csv`.

Cells are kept as the paper prints them, as text. `counterparts` says which configuration of which system stands for a
row of the paper, so that the package itself knows no system by name.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from erc_bench.contract.domain import LabelSet, Targets
from erc_bench.data import dataset_spec
from erc_bench.errors import DataCorruptError
from erc_bench.records.record import RunRecord

FILE = "paper_tables.json"
PUBLISHED_ON = "dailydialog"
SOURCE = "Gendron and Guibon (WASSA 2024)"

Number = Annotated[str, Field(pattern=r"^\d[\d,]*(\.\d+)?$")]
Text = Annotated[str, Field(min_length=1)]
ScoreName = Literal["precision", "recall", "f1", "support", "macro_f1", "micro_f1", "mcc"]
SizeName = Literal["sequence", "tokens", "dimensions", "size", "parameters", "layers"]
PATH = "PATH"
"""The value of a setting that names a file: the command prints it as a placeholder, and any file fits."""


Settings = dict[str, bool | int | float | str]


class Counterpart(BaseModel):
    """The configuration that stands for a row of the paper, and the seeds of its command.

    `alternatives` are settings that stand in for it, in order, where no run has the first ones; a table that shows such
    a run says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: Text
    settings: Settings = Field(default_factory=dict)
    alternatives: tuple[Settings, ...] = ()
    targets: Targets = "all"
    seeds: Annotated[str, Field(pattern=r"^\d+(-\d+)?$")] = "0"

    def fit(self, record: RunRecord) -> tuple[int, bool] | None:
        """How well a run stands for the row, lowest best; None if it does not.

        The settings in its title must be exactly these, but for the files they name; a run that labelled all utterances
        also labelled the last ones.
        """
        if record.system != self.system or record.targets not in ("all", self.targets):
            return None
        for position, settings in enumerate((self.settings, *self.alternatives)):
            files_aside = {
                name: PATH if settings.get(name) == PATH else value for name, value in record.changed.items()
            }
            if files_aside == settings:
                return position, record.targets != self.targets
        return None

    @property
    def title(self) -> str:
        """What the row of such a run is called."""
        settings = ", ".join(f"{name}={_shown(value)}" for name, value in self.settings.items())
        return f"{self.system} ({settings})" if settings else self.system

    def command(self, dataset: str) -> str:
        """The command that makes its runs."""
        parts = ["erc-bench run", f"--system {self.system}"]
        parts += [f"--set {name}={_shown(value)}" for name, value in self.settings.items()]
        parts += [f"--targets {self.targets}"] * (self.targets != "all")
        parts += [f"--dataset {dataset}"] * (dataset != PUBLISHED_ON)
        return " ".join([*parts, f"--seeds {self.seeds}"])


def _shown(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Departure(BaseModel):
    """Something that a row of the paper has otherwise than the system that stands for it: the settings that set it back.

    `system` is another one that does so without settings. `departure` is False for what both have, which the settings
    take away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: Text
    paper: Text
    here: Text
    settings: Settings
    system: str = ""
    departure: bool = True


class TenRuns(BaseModel):
    """Mean and standard deviation of a score over the ten released runs of a language model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: float
    deviation: Annotated[float, Field(ge=0)]


class PaperTables(BaseModel):
    """Tables 1 and 3 to 6 of the paper, by row and column.

    `expected` are configurations that the paper compares without a row of their own in Table 2. `confusions` (of one run)
    and `ten_run_mcc` are of the language-model runs released with the code, commit 0358008, folder LLMs/results.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    counterparts: dict[str, Counterpart]
    expected: tuple[Counterpart, ...]
    departures: tuple[Departure, ...]
    table_1: dict[str, Text]
    table_3: dict[str, dict[ScoreName, Number]]
    table_4: dict[str, dict[ScoreName, Number]]
    table_5: dict[str, dict[ScoreName, Number]]
    table_6: dict[str, dict[SizeName, Text]]
    confusions: dict[str, list[list[int]]]
    ten_run_mcc: dict[str, TenRuns]
    s_page_in_the_text: Number

    def confusion(self, name: str) -> NDArray[np.int64]:
        """A released confusion matrix, int64 (K, K + 1): the released parser leaves no answer unusable."""
        square = np.array(self.confusions[name], np.int64)
        return np.concatenate([square, np.zeros((len(square), 1), np.int64)], axis=1)

    def row(self, table: Literal["table_3", "table_4", "table_5", "table_6"], name: str) -> dict[str, str]:
        """The printed cells of a row by column; empty where the table has no such row."""
        rows: dict[str, dict[str, str]] = getattr(self, table)
        return dict(rows.get(name, {}))

    def number(self, table: Literal["table_3", "table_4", "table_5"], row: str, column: ScoreName) -> float:
        """A printed number as a number."""
        return float(self.row(table, row)[column].replace(",", ""))


def paper_labels() -> LabelSet:
    """The labels of the dataset that the paper is about, in the order of its tables and matrices."""
    return dataset_spec(PUBLISHED_ON).labels


@cache
def paper_tables() -> PaperTables:
    """The published tables that come with the package.

    Raises
    ------
    DataCorruptError
        The file is damaged.
    """
    return parse_tables(json.loads(files("erc_bench.leaderboard").joinpath(FILE).read_text("utf-8")))


def parse_tables(content: Any) -> PaperTables:
    """Published tables from the JSON object of `paper_tables.json`."""
    try:
        return PaperTables.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise DataCorruptError(f"{FILE} must be valid, got {problems}. Install erc-bench again.") from None
