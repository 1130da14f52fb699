from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from erc_bench.cli import cli
from erc_bench.contract import registry
from erc_bench.errors import SystemFailedError, UnknownNameError
from erc_bench.systems.floors import Constant, Prior


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["systems", *arguments], catch_exceptions=False)


def test_the_list_names_every_system_and_where_it_is_from() -> None:
    rows = json.loads(invoke("list", "--json").output)
    assert [row["name"] for row in rows] == registry.system_names()
    assert {row["from"].split()[0] for row in rows} >= {"erc-bench"}
    assert "sentemocontext-released" in invoke("list").output


def test_show_tells_every_setting_with_its_default() -> None:
    content = json.loads(invoke("show", "constant", "--json").output)
    assert content["context"] == "utterance"
    (setting,) = content["settings"]
    assert setting["name"] == "label"
    assert setting["description"] in " ".join(invoke("show", "constant").output.split())
    assert "settings: none" in invoke("show", "prior").output


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'lookup'"):
        invoke("show", "lokup")


def test_check_says_each_statement_and_how_it_went() -> None:
    output = invoke("check", "constant", "--set", "label=anger", "--device", "cpu").output
    assert output.splitlines()[-1] == "constant keeps the contract."
    assert "ok    Predict answers every target once and nothing else" in output
    assert "FAIL" not in output


def test_check_fails_where_a_statement_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Constant, "predict", lambda self, dialogues, targets, *, progress: iter(()))
    with pytest.raises(SystemFailedError, match="the system constant must keep the whole contract"):
        invoke("check", "constant", "--device", "cpu")


def test_new_writes_a_package_and_says_what_comes_next(tmp_path: Path) -> None:
    output = invoke("new", "my-mood", "--output-dir", str(tmp_path)).output
    assert (tmp_path / "my-mood" / "my_mood.py").is_file()
    assert "erc-bench systems check my-mood" in output


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys\nfrom erc_bench.cli import main\n"
        "try: main(['systems', 'list'])\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "sklearn", "pandas", "rich.console"} & set(done.stderr.split())


def test_a_system_that_cannot_be_imported_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    points = registry.registered(registry.GROUP)
    broken = EntryPoint("broken", "no_such_module:X", registry.GROUP)
    monkeypatch.setattr(registry, "registered", lambda group: {**points, "broken": broken})
    rows = {row["name"]: row["summary"] for row in json.loads(invoke("list", "--json").output)}
    assert "cannot be used: the system broken" in rows.pop("broken")
    assert rows["prior"] == Prior.info.summary
