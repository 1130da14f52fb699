"""Nothing that is read may run: no pickle, no code of a model, no address but this machine's own to listen on."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from erc_bench.errors import ModelUnavailableError
from erc_bench.toolkit.encoder_sources import _refuse_code

REPOSITORY = Path(__file__).parents[1]
SOURCES = [path for folder in ("erc_bench", "systems") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "torch.load", "joblib.load", "dill.load", "marshal.loads", "shelve.open"),
    *("yaml.load", "eval", "exec", "os.system", "os.popen", "extractall", "unpack_archive"),
}
ASKED_FOR = {"allow_pickle": False, "trust_remote_code": False, "shell": False, "weights_only": True}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def name_of(function: ast.expr) -> str:
    return ast.unparse(function)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_module_runs_what_it_reads(path: Path) -> None:
    for call in calls(path):
        name = name_of(call.func)
        assert name not in FORBIDDEN, f"line {call.lineno}"
        assert name.rpartition(".")[2] not in ("extractall", "unpack_archive"), f"line {call.lineno}"
        for keyword in call.keywords:
            if keyword.arg in ASKED_FOR:
                assert isinstance(keyword.value, ast.Constant), f"line {call.lineno}"
                assert keyword.value.value is ASKED_FOR[keyword.arg], f"line {call.lineno}"
        if name.endswith("np.load") or name == "np.load":
            assert any(keyword.arg == "allow_pickle" for keyword in call.keywords), f"line {call.lineno}"


def test_no_module_listens_on_every_address() -> None:
    for path in SOURCES:
        assert "0.0.0.0" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("kind", ["mine.Custom", "os.system", "torch.nn.Linear"])
def test_code_beside_weights_is_refused(kind: str, tmp_path: Path) -> None:
    own = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
    (tmp_path / "modules.json").write_text(json.dumps([own]))
    _refuse_code(tmp_path)
    (tmp_path / "modules.json").write_text(json.dumps([own, own | {"type": kind}]))
    with pytest.raises(ModelUnavailableError, match=f"got {kind}: code that comes with weights is never run"):
        _refuse_code(tmp_path)
    (tmp_path / "modules.json").write_bytes(b"[" * 100_000)
    with pytest.raises(ModelUnavailableError, match="must list the parts of an encoder"):
        _refuse_code(tmp_path)
