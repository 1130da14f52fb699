"""A bucket in memory, which fsspec has; tests/e2e/test_s3.py has a server that speaks S3."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import fsspec
import pytest

from erc_bench.contract.domain import Dataset
from erc_bench.errors import StorageError, UsageError
from erc_bench.progress import SilentProgress
from erc_bench.records.predictions import read_predictions
from erc_bench.records.record import Run, find_runs
from erc_bench.records.storage import TAGS_FILE, Bucket, is_copy, is_remote, local_copy

if TYPE_CHECKING:
    from tests.conftest import WriteRun


@pytest.fixture
def bucket(home: Path) -> Bucket:
    return Bucket(f"memory://{secrets.token_hex(4)}/results")


@pytest.fixture
def send(
    bucket: Bucket, mini: Dataset, write_run: WriteRun, gold: Callable[[Dataset], list[str]]
) -> Callable[..., Run]:
    """Makes a run in the copy, with a model, and sends it."""

    def send(**fields: Any) -> Run:
        run = write_run(bucket.folder, mini, gold(mini), **fields)
        (run.folder / "model").mkdir(exist_ok=True)
        (run.folder / "model" / "weights").write_bytes(b"1234")
        (run.folder / "embeddings.npz").write_bytes(b"5678")
        (run.folder / ".unfinished.tmp").touch()
        bucket.push(run.folder, SilentProgress())
        return run

    return send


def files(bucket: Bucket) -> set[str]:
    fs, root = fsspec.core.url_to_fs(bucket.url)
    return {path.removeprefix(f"{root}/") for path in fs.find(root)}


def elsewhere(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From here on, another machine asks: it has a copy of its own."""
    monkeypatch.setenv("ERC_BENCH_HOME", str(tmp_path / secrets.token_hex(4)))
    assert not bucket.folder.exists()


def test_what_one_machine_sends_another_reads(
    bucket: Bucket, send: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent = [send(seed=seed) for seed in (0, 1)]
    place = "mini/echo/0123456789ab/seed-0"
    names = ("run.json", "predictions.jsonl", "model/weights", "embeddings.npz")
    assert {path for path in files(bucket) if path.startswith(place)} == {f"{place}/{name}" for name in names}
    assert bucket.url_of(sent[0].folder) == f"{bucket.url}/{place}"
    elsewhere(bucket, monkeypatch, tmp_path)
    copy = local_copy(bucket.url)
    assert is_copy(copy)
    found = list(find_runs(copy))
    assert [run.record for run in found] == [run.record for run in sent]
    assert len(read_predictions(found[1].folder)) == found[1].record.predictions
    assert {path.name for path in found[0].folder.iterdir()} == {"run.json", "predictions.jsonl", TAGS_FILE}


def test_only_what_changed_is_fetched_again(
    bucket: Bucket, send: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    send(seed=0)
    send(seed=1)
    here = bucket.fetch()
    before = {path: path.stat().st_mtime_ns for path in here.rglob("run.json")}
    first = bucket.folder / "mini/echo/0123456789ab/seed-0"
    home = monkeypatch.setenv
    elsewhere(bucket, monkeypatch, tmp_path)
    send(seed=0, summary="made again")
    home("ERC_BENCH_HOME", str(tmp_path / "home"))
    bucket.fetch(only=[first])
    after = {path: path.stat().st_mtime_ns for path in here.rglob("run.json")}
    assert {path for path in before if before[path] != after[path]} == {first / "run.json"}
    assert next(find_runs(here)).record.summary == "made again"


def test_what_is_no_longer_in_the_bucket_leaves_the_copy_and_what_was_never_sent_stays(
    bucket: Bucket,
    send: Callable[..., Run],
    mini: Dataset,
    write_run: WriteRun,
    gold: Callable[[Dataset], list[str]],
) -> None:
    gone, unsent = send(seed=0), write_run(bucket.folder, mini, gold(mini), seed=1)
    fs, root = fsspec.core.url_to_fs(bucket.url)
    fs.rm(f"{root}/mini/echo/0123456789ab/seed-0/run.json")
    bucket.fetch()
    assert not gone.folder.exists(), "without its run.json a run is not there"
    bucket.push(unsent.folder, SilentProgress())
    assert "mini/echo/0123456789ab/seed-1/run.json" in files(bucket)


def test_files_of_an_earlier_run_do_not_stay(bucket: Bucket, send: Callable[..., Run]) -> None:
    run = send(seed=0)
    (run.folder / TAGS_FILE).unlink()
    (run.folder / "embeddings.npz").unlink()
    bucket.push(run.folder, SilentProgress())
    assert {Path(path).name for path in files(bucket)} == {"run.json", "predictions.jsonl", "weights"}


def test_a_run_that_another_process_is_making_is_left_to_it(bucket: Bucket, send: Callable[..., Run]) -> None:
    run = send(seed=0)
    fs, root = fsspec.core.url_to_fs(bucket.url)
    fs.rm(root, recursive=True)
    with filelock.FileLock(run.folder.with_name(".seed-0.lock")):
        bucket.fetch()
        assert run.folder.exists()
    bucket.fetch()
    assert not run.folder.exists()


def test_paths_that_lead_out_of_the_copy_are_not_read(bucket: Bucket) -> None:
    fs, root = fsspec.core.url_to_fs(bucket.url)
    for path in ("mini/echo/x/seed-0/../../../../../out", "mini/echo/x/seed-0/run.json", "board/run.json"):
        fs.store[f"{root}/{path}"] = fsspec.implementations.memory.MemoryFile(fs, path, b"{}")
    found = bucket.fetch()
    assert [path.relative_to(found).as_posix() for path in found.rglob("*.json")] == [
        f"mini/echo/x/seed-0/{TAGS_FILE}",
        "mini/echo/x/seed-0/run.json",
    ]
    assert not list(found.parent.rglob("out"))


def test_what_is_no_bucket_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_remote(Path("s3://x"))
    assert local_copy("results") == Path("results")
    with pytest.raises(UsageError, match=r"such as s3://bucket/prefix, got 'gopher://x'"):
        local_copy("gopher://x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    Bucket("memory://x").check()
    assert files(Bucket("memory://x")) == set()
    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "find", refuse)
    with pytest.raises(StorageError, match=r"memory://x must be readable and writable, got PermissionError: Access"):
        local_copy("memory://x")
