"""Where does a corpus come from, and is it what it should be? Finding, reading, checking and downloading datasets."""

from erc_bench.data.load import load_dataset
from erc_bench.data.registry import dataset_names, dataset_spec
from erc_bench.data.spec import DatasetSpec, Facts, Mirror, SplitReading
from erc_bench.paths import download_dir

__all__ = [
    "DatasetSpec",
    "Facts",
    "Mirror",
    "SplitReading",
    "dataset_names",
    "dataset_spec",
    "download_dir",
    "load_dataset",
]
