"""erc-bench: a benchmark harness for Emotion Recognition in Conversation."""

from erc_bench.contract.config import option
from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target, Utterance
from erc_bench.contract.system import NoConfig, Prediction, Report, Runtime, System, SystemInfo
from erc_bench.progress import Progress

__all__ = [
    "Dataset",
    "Dialogue",
    "LabelSet",
    "NoConfig",
    "Prediction",
    "Progress",
    "Report",
    "Runtime",
    "System",
    "SystemInfo",
    "Target",
    "Utterance",
    "option",
]
