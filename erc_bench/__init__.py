"""erc-bench: a benchmark harness for Emotion Recognition in Conversation.

What authors of systems and datasets need, and the harness itself as functions (docs/python.md). Each name is imported when
it is first asked for: `import erc_bench` loads neither torch nor pandas, and `erc-bench --help` hardly anything.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from erc_bench import errors as errors

if TYPE_CHECKING:
    from erc_bench.api.data import audit, datasets, load_dataset
    from erc_bench.api.results import across, compare, contrasts, leaderboard, power, show, verify
    from erc_bench.api.runs import check, export, run, score, systems
    from erc_bench.contract.config import option
    from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Target, Utterance
    from erc_bench.contract.system import NoConfig, Prediction, Report, Runtime, System, SystemInfo
    from erc_bench.data.spec import DatasetSpec
    from erc_bench.progress import Progress

_MODULES = {
    "contract.config": ("option",),
    "contract.domain": ("Dataset", "Dialogue", "LabelSet", "Target", "Utterance"),
    "contract.system": ("NoConfig", "Prediction", "Report", "Runtime", "System", "SystemInfo"),
    "progress": ("Progress",),
    "api.data": ("audit", "datasets", "load_dataset"),
    "api.runs": ("check", "export", "run", "score", "systems"),
    "api.results": ("across", "compare", "contrasts", "leaderboard", "power", "show", "transfer", "verify"),
    "data.spec": ("DatasetSpec",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Dataset",
    "DatasetSpec",
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
    "across",
    "audit",
    "check",
    "compare",
    "contrasts",
    "datasets",
    "export",
    "leaderboard",
    "load_dataset",
    "option",
    "power",
    "run",
    "score",
    "show",
    "systems",
    "transfer",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'erc_bench' has no attribute {name!r}")
    return getattr(importlib.import_module(f"erc_bench.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _FolderAndFunction(ModuleType):
    @property
    def __call__(self) -> Any:
        return __getattr__(self.__name__.rpartition(".")[2])


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # `systems` and `leaderboard` are folders, too: importing one puts it here, in front of the function.
        if name in _HOME and isinstance(value, ModuleType):
            value.__class__ = _FolderAndFunction
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
