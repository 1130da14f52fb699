"""Where erc-bench finds the user's data, and keeps what it downloads and computes."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIR_VARIABLE = "ERC_BENCH_DATA_DIR"


def data_dir_given() -> Path | None:
    """The folder of corpora, or of one corpus, that the environment names."""
    given = os.environ.get(DATA_DIR_VARIABLE)
    return Path(given) if given else None


def home() -> Path:
    """ERC_BENCH_HOME, else the XDG data folder, else ~/.local/share, each with `erc-bench` below it."""
    if chosen := os.environ.get("ERC_BENCH_HOME"):
        return Path(chosen)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "erc-bench"


def download_dir(dataset: str) -> Path:
    """Where `erc-bench data download` puts a dataset."""
    return home() / "data" / dataset


def cache_dir() -> Path:
    """Sentence embeddings and other things that are costly and can be computed again: safe to delete."""
    return home() / "cache"
