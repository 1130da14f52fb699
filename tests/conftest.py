"""Fixtures shared by all tests: the datasets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from erc_bench.data import load_dataset
from erc_bench.domain import Dataset


@pytest.fixture(scope="session")
def dailydialog_dir() -> Path:
    """Where the real DailyDialog lies; tests that use it carry the mark `data`."""
    folder = os.environ.get("ERC_BENCH_DATA_DIR")
    if not folder:
        pytest.skip("ERC_BENCH_DATA_DIR is not set: the real DailyDialog is needed")
    return Path(folder)


@pytest.fixture(scope="session")
def dailydialog(dailydialog_dir: Path) -> Dataset:
    return load_dataset("dailydialog", data_dir=dailydialog_dir)


@pytest.fixture(scope="session")
def sample() -> Dataset:
    return load_dataset("sample")
