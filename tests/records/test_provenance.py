from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from erc_bench.records import provenance


def test_versions_of_what_decides_a_result() -> None:
    found = provenance.versions()
    assert found["python"] == platform.python_version()
    assert found["torch"] == version("torch")


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    assert provenance.versions().keys() == {"python"}


def test_the_commit_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "erc_bench" / "records" / "provenance.py"
    file.parent.mkdir(parents=True)
    file.touch()
    monkeypatch.setattr(provenance, "__file__", str(file))
    assert provenance.git_state() == {}

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert provenance.git_state() == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    file.write_text("changed")
    assert provenance.git_state()["dirty"] is True


def test_hardware_in_plain_units() -> None:
    found = provenance.hardware()
    assert 1 <= found["cores"] <= (os.cpu_count() or 1)
    assert 0.1 < found["memory_gib"] < 100_000
    assert found["processor"]


def test_the_peak_of_memory_only_grows() -> None:
    before = provenance.peak_memory_mb()
    block = bytearray(50 * 2**20)
    block[:: 2**12] = b"x" * len(block[:: 2**12])
    after = provenance.peak_memory_mb()
    assert before is not None
    assert after is not None
    assert after >= before > 10
