from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from erc_bench.errors import StorageError
from erc_bench.files import (
    HOST,
    file_sha256,
    folder_sha256,
    parse_json,
    remove_leftovers,
    replacing,
    utf8,
    write_atomically,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_are_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for data in (b"old", b"new"):
        write_atomically(path, data)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["run.json"]
    assert file_sha256(path) == hashlib.sha256(b"new").hexdigest()


def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["run.json"]


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "run.json"
    with pytest.raises(StorageError, match=r"gone/run\.json must be readable and writable, got No such file") as caught:
        write_atomically(path, b"")
    assert caught.value.exit_code == 3


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        with pytest.raises(StorageError, match="got File too large"):
            write_atomically(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["run.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a folder without permissions")
def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Name a folder that you may write to"):
            write_atomically(tmp_path / "run.json", b"")
    finally:
        tmp_path.chmod(0o700)


KILLED = """
import os, signal, sys
from pathlib import Path
from erc_bench.files import replacing
with replacing(Path(sys.argv[1]) / "run.json") as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert remove_leftovers(tmp_path) == [left]
    assert names(tmp_path) == []


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_leftovers_of_the_first_version_are_removed(tmp_path: Path) -> None:
    pid = dead_process()
    for name in (f".run.json.{pid}.tmp", f".few_shot.json.{pid}.tmp", f".{pid}.npz"):
        (tmp_path / name).write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_what_may_be_in_use_or_is_a_result_stays(tmp_path: Path) -> None:
    pid = dead_process()
    kept = [
        f".run.json.{HOST}.{os.getpid()}.0123abcd.tmp",  # this process
        f".run.json.{'0' * 8}.{pid}.0123abcd.tmp",  # a process of another machine
        f".run.json.{os.getpid()}.tmp",
        ".lock",
        "run.json",
        "embeddings.npz",
        f"notes.{pid}.tmp",
    ]
    for name in kept:
        (tmp_path / name).write_bytes(b"")
    assert remove_leftovers(tmp_path) == []
    assert names(tmp_path) == sorted(kept)


def test_what_another_machine_left_is_removed_after_a_day(tmp_path: Path) -> None:
    path = tmp_path / f".run.json.{'0' * 8}.1.0123abcd.tmp"
    path.write_bytes(b"half")
    os.utime(path, (0, 0))
    assert remove_leftovers(tmp_path) == [path]
    assert remove_leftovers(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("é – 你", "é – 你"),
        ("\ud800 a \udfff", "\ufffd a \ufffd"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("\N{GRINNING FACE}\ud83d", "\N{GRINNING FACE}\ufffd"),
    ],
)
def test_any_text_has_utf8(text: str, written: str) -> None:
    assert utf8(text).decode() == written


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'{"a": "\ud83d\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (rb'{"\uD800": ["\udc00!"]}', {"\ufffd": ["\ufffd!"]}),
        (b"[" * 101 + b"]" * 101, None),
        (b'"' + b"[" * 5000 + b'"', "[" * 5000),
    ],
)
def test_json_from_outside(data: bytes, value: Any) -> None:
    found = parse_json(data)
    assert value is None or found == value
    assert utf8(str(found)).decode() == str(found)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"\xff", "utf-8"),
        (b"\xef\xbb\xbf1", "BOM"),
        (b"[" * 102 + b"]" * 102, "values nested in more than 100 others"),
        (b"[" * 100_000, "values nested in more than 100 others"),
        (b'{"a":' * 100_000, "values nested in more than 100 others"),
        (b"1" * 5000, "limit"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_json(data)


def test_a_folder_is_known_by_the_files_that_match(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "model.bin").write_bytes(b"weights")
        (folder / "notes.md").write_text(folder.name)
    patterns = ("*.bin", "model.*")
    before = folder_sha256(one, patterns)
    assert folder_sha256(other, patterns) == before
    (one / "model.bin").write_bytes(b"others")
    assert folder_sha256(one, patterns) != before
    assert folder_sha256(other, ("*.md",)) != folder_sha256(one, ("*.md",))
