from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from erc_bench.contract.domain import Dataset, Dialogue, Target
from erc_bench.contract.registry import system_class
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.errors import StorageError, SystemFailedError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.records.storage import TAGS_FILE, Bucket
from erc_bench.running.request import RunRequest
from erc_bench.running.runner import execute


class Moody(System[NoConfig]):
    """Fails while the file `angry` lies in the working folder."""

    info = SystemInfo("moody", "neutral, or nothing", "none", "utterance", "CC0-1.0")

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        if Path("angry").exists():
            raise RuntimeError("not today")
        return [Prediction(*target, self.labels.neutral) for target in targets]


@pytest.fixture
def request_(home: Path, sample: Dataset) -> RunRequest:
    bucket = Bucket(f"memory://{secrets.token_hex(4)}")
    return RunRequest(system_class("prior"), system_class("prior").Config(), sample, bucket.folder, bucket=bucket)


def files(request: RunRequest) -> set[str]:
    assert request.bucket is not None
    fs, root = fsspec.core.url_to_fs(request.bucket.url)
    return {Path(path).name for path in fs.find(root)}


def test_a_complete_run_is_sent_once_and_not_made_again_elsewhere(
    request_: RunRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = execute(request_, SilentProgress())
    assert not made.already_complete
    assert files(request_) == {"run.json", "predictions.jsonl", "fit.json", "model.json"}
    assert request_.bucket is not None
    monkeypatch.setenv("ERC_BENCH_HOME", str(tmp_path / "another machine"))
    elsewhere = execute(replace(request_, results=request_.bucket.folder), SilentProgress())
    assert elsewhere.already_complete
    assert elsewhere.run.folder != made.run.folder
    assert elsewhere.run.record == made.run.record


def test_a_run_that_could_not_be_sent_is_sent_by_the_next_attempt(
    request_: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the bucket")

    with monkeypatch.context() as patch:
        patch.setattr(fsspec.implementations.memory.MemoryFileSystem, "put_file", refuse)
        with pytest.raises(StorageError, match="no route to the bucket"):
            execute(request_, SilentProgress())
    assert "run.json" not in files(request_)
    again = execute(request_, SilentProgress())
    assert again.already_complete
    assert "run.json" in files(request_)
    assert (again.run.folder / TAGS_FILE).is_file()


def test_overwriting_replaces_what_the_bucket_has(request_: RunRequest) -> None:
    first = execute(request_, SilentProgress()).run.record
    second = execute(replace(request_, overwrite=True), SilentProgress())
    assert not second.already_complete
    assert request_.bucket is not None
    request_.bucket.fetch()
    assert first.started <= second.run.record.started
    assert (second.run.folder / TAGS_FILE).is_file()


def test_of_a_run_that_fails_the_bucket_gets_the_reason(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("angry").touch()
    request = replace(request_, system=Moody, config=NoConfig())
    with pytest.raises(
        SystemFailedError, match=r"not today.*Where, says memory://\w+/sample/moody/\w+/seed-0/error.txt"
    ):
        execute(request, SilentProgress())
    assert files(request) == {"error.txt"}
    Path("angry").unlink()
    execute(request, SilentProgress())
    assert "error.txt" not in files(request)
