"""Where erc-bench keeps what it downloads and computes for a user."""

from __future__ import annotations

import os
from pathlib import Path


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
