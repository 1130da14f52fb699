"""What needs no cluster; tests/e2e/test_ray.py has a real one."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import pytest

from erc_bench.errors import MissingDependencyError, StorageError, UsageError
from erc_bench.running.cluster import check_shared, connected, marked


def test_a_folder_is_marked_as_long_as_runs_are_made(tmp_path: Path) -> None:
    folders = {tmp_path / "one", tmp_path / "two"}
    with marked(folders) as markers:
        assert set(markers) == folders
        for folder, marker in markers.items():
            assert marker.parent == folder
            check_shared(marker, 0)
    assert not any([*folder.iterdir()] for folder in folders)


def test_a_machine_with_another_folder_of_that_name_makes_no_runs(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"must be shared by all machines .* got .*results, which .* does not share"):
        check_shared(tmp_path / "results" / ".shared-0123", 0.0)


def test_network_storage_may_show_a_mark_late(tmp_path: Path) -> None:
    marker = tmp_path / ".shared-0123"
    threading.Timer(0.2, marker.touch).start()
    check_shared(marker, 30)


def test_a_missing_ray_names_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(MissingDependencyError, match=r"--executor ray needs the package ray.*'erc-bench\[ray\]'"),
        connected(None, 1),
    ):
        pass


def test_nobody_at_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="needs Ray: make test-ray installs it")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"--address must .* got '{address}': .*refused"), connected(address, 1):
            pass
