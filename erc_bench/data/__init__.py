"""Datasets: finding, reading, checking and downloading them."""

from erc_bench.data.load import check_fingerprint, dataset_names, load_dataset
from erc_bench.paths import download_dir

__all__ = ["check_fingerprint", "dataset_names", "download_dir", "load_dataset"]
