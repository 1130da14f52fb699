from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench import paths


def test_the_users_own_choice_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("ERC_BENCH_HOME", raising=False)
    assert paths.home() == Path("/home/ada/.local/share/erc-bench")
    monkeypatch.setenv("XDG_DATA_HOME", "/data/ada")
    assert paths.home() == Path("/data/ada/erc-bench")
    monkeypatch.setenv("ERC_BENCH_HOME", "/fast")
    assert (paths.home(), paths.download_dir("meld"), paths.cache_dir()) == (
        Path("/fast"),
        Path("/fast/data/meld"),
        Path("/fast/cache"),
    )


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.DATA_DIR_VARIABLE, "")
    assert paths.data_dir_given() is None
    monkeypatch.setenv(paths.DATA_DIR_VARIABLE, "corpora")
    assert paths.data_dir_given() == Path("corpora")
