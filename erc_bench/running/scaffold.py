"""`erc-bench systems new`: a package with a working system, ready to be changed."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from erc_bench.contract.registry import system_names
from erc_bench.errors import UsageError

_PYPROJECT = Template("""\
[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"

[project]
name = "$name"
version = "0.1.0"
dependencies = ["erc-bench"]

# This is how erc-bench finds the system: after `pip install -e .` it is in `erc-bench systems list`.
[project.entry-points."erc_bench.systems"]
$name = "$module:$class_name"

[tool.setuptools]
py-modules = ["$module"]
""")

_MODULE = Template('''\
"""A system for erc-bench: the most frequent training label of the utterance's first word, else the neutral label."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from erc_bench import Dialogue, Prediction, Progress, System, SystemInfo, Target, option


@dataclass(frozen=True)
class Config:
    """What `--set field=value` can change."""

    min_count: int = option(2, "how often a first word must be seen before it decides")


class $class_name(System[Config]):
    """Replace this by your own system; `fit`, `save` and `load` are for systems that train."""

    info = SystemInfo(
        name="$name",
        summary="most frequent label of the first word",
        reference="your paper",
        context="utterance",
        licence="Apache-2.0",
    )

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        """Count labels by first word."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for dialogue in train:
            for utterance in dialogue.utterances:
                if utterance.label is not None:
                    counts[first_word(utterance.text)][utterance.label] += 1
        self.labels_of_words = {
            word: min(found, key=lambda label: (-found[label], label))
            for word, found in counts.items()
            if found.total() >= self.config.min_count
        }

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        """One prediction a target; labels are never in `dialogues`."""
        by_id = {dialogue.id: dialogue for dialogue in dialogues}
        for target in targets:
            word = first_word(by_id[target.dialogue].utterances[target.turn].text)
            yield Prediction(target.dialogue, target.turn, self.labels_of_words.get(word, self.labels.fallback))

    def save(self, folder: Path) -> None:
        """Write what was learned: JSON and safetensors, never pickle."""
        (folder / "words.json").write_text(json.dumps(self.labels_of_words))

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.labels_of_words = json.loads((folder / "words.json").read_text())


def first_word(text: str) -> str:
    """The first word, in lower case."""
    return (text.split() or [""])[0].casefold()
''')

_TEST = Template('''\
"""The contract of erc-bench, as a test of this package."""

import erc_bench
import pytest

from $module import $class_name


@pytest.mark.parametrize("result", erc_bench.check($class_name), ids=lambda result: result.name)
def test_contract(result):
    assert result.outcome != "failed", result.reason
''')


def write_package(name: str, parent: Path) -> Path:
    """Write the package of a new system below `parent`, and return its folder.

    Raises
    ------
    UsageError
        The name cannot be a package, is taken by a registered system, or the folder exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name.replace("-", "_")):
        raise UsageError(
            f"a system's name must be lower-case words joined by '-', for example my-system, got {name!r}."
        )
    if name in system_names():
        raise UsageError(
            f"a new system must have a name of its own, but {name!r} is registered already. Choose another."
        )
    folder = parent / name
    if folder.exists():
        raise UsageError(f"the folder of a new package must not exist yet, got {folder}. Choose another name or place.")
    module = name.replace("-", "_")
    values = {"name": name, "module": module, "class_name": "".join(part.title() for part in name.split("-"))}
    (folder / "tests").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PYPROJECT.substitute(values))
    (folder / f"{module}.py").write_text(_MODULE.substitute(values))
    (folder / "tests" / f"test_{module}.py").write_text(_TEST.substitute(values))
    return folder
