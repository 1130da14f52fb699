from __future__ import annotations

import re
from pathlib import Path

from erc_bench.contract.domain import Target
from erc_bench.files import replacing
from erc_bench.records.predictions import PACKED_FILE, PREDICTIONS_FILE, read_predictions
from erc_bench.records.record import EMBEDDINGS_FILE, MODEL_FOLDER, RUN_FILE, SCHEMA_VERSION

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "run-records.md").read_text(encoding="utf-8")


def test_the_line_that_is_shown_is_read(tmp_path: Path) -> None:
    (line,) = re.findall(r"^    (\{.*\})$", PAGE, re.MULTILINE)
    (tmp_path / PREDICTIONS_FILE).write_text(f"{line}\n", encoding="utf-8")
    assert read_predictions(tmp_path)[Target("test-00042", 3)].scores == {"happiness": 0.875, "anger": 0.125}


def test_files_and_the_schema_version_are_those_of_the_code(tmp_path: Path) -> None:
    for name in (RUN_FILE, PREDICTIONS_FILE, PACKED_FILE, EMBEDDINGS_FILE, f"{MODEL_FOLDER}/"):
        assert f"`{name}`" in PAGE
    assert f"`schema_version` is {SCHEMA_VERSION}." in PAGE
    with replacing(tmp_path / "NAME"):
        (temporary,) = tmp_path.iterdir()
    shape = re.sub(r"[A-Z]{3,}", r"[0-9A-Za-z]+", re.escape(".NAME.HOST.PID.TOKEN.tmp"))
    assert ".NAME.HOST.PID.TOKEN.tmp" in PAGE
    assert re.fullmatch(shape, temporary.name)
