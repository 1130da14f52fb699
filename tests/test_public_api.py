"""What `erc_bench` offers, and that asking for it costs nothing until it is used."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import erc_bench

TYPES = {
    *(
        "Dataset",
        "DatasetSpec",
        "Dialogue",
        "LabelSet",
        "NoConfig",
        "Prediction",
        "Progress",
        "Report",
        "Runtime",
        "System",
        "SystemInfo",
    ),
    *("Target", "Utterance"),
}
FUNCTIONS = {
    *(
        "across",
        "audit",
        "check",
        "compare",
        "contrasts",
        "datasets",
        "export",
        "leaderboard",
        "load_dataset",
        "option",
        "power",
        "run",
        "score",
        "show",
    ),
    *("systems", "transfer", "verify"),
}


def test_exported_names() -> None:
    assert set(erc_bench.__all__) == TYPES | FUNCTIONS
    assert list(erc_bench.__all__) == sorted(erc_bench.__all__)
    assert set(erc_bench.__all__) <= set(dir(erc_bench))


@pytest.mark.parametrize("name", erc_bench.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    found = getattr(erc_bench, name)
    assert callable(found)
    assert inspect.getdoc(found)


@pytest.mark.parametrize("name", sorted(FUNCTIONS - {"systems", "leaderboard"}))
def test_every_function_is_typed(name: str) -> None:
    signature = inspect.signature(getattr(erc_bench, name))
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(each.annotation is not inspect.Parameter.empty for each in signature.parameters.values())


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'leaderbord'"):
        erc_bench.leaderbord  # noqa: B018


@pytest.mark.parametrize("statement", ["import erc_bench", "from erc_bench import *"])
def test_importing_is_light(statement: str) -> None:
    code = f"import sys\n{statement}\nprint(sorted({{'torch', 'pandas', 'sklearn', 'rich', 'pydantic'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("first", ["import erc_bench.systems.floors, erc_bench.leaderboard", "pass"])
def test_folders_of_the_same_name_hide_no_function(first: str) -> None:
    code = (
        f"{first}\nimport erc_bench\nassert 'prior' in erc_bench.systems()\n"
        "try: erc_bench.leaderboard('nowhere', dataset='sample')\n"
        "except erc_bench.errors.DataMissingError: print('called')\n"
        "import erc_bench.systems.floors as floors\nprint(floors.Prior.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["called", "Prior"]
