"""erc-bench: a benchmark harness for Emotion Recognition in Conversation."""

from erc_bench.config import option
from erc_bench.domain import Dataset, Dialogue, LabelSet, Target, Utterance
from erc_bench.system import Prediction, Report, Runtime, System, SystemInfo

__all__ = [
    "Dataset",
    "Dialogue",
    "LabelSet",
    "Prediction",
    "Report",
    "Runtime",
    "System",
    "SystemInfo",
    "Target",
    "Utterance",
    "option",
]
