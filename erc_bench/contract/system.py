"""The interface between the harness and a system under test."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin

from erc_bench.contract.config import recorded_value
from erc_bench.contract.domain import Dialogue, LabelSet, Target
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NO_DECISION = "none"
Context = Literal["utterance", "past", "dialogue"]
ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """What a reader of the board must know about a system before it runs.

    `context` is what the system reads to label an utterance: the `utterance` alone, the dialogue up to it
    (`past`), or the whole `dialogue`. `floor` marks a trivial predictor that other rows are read against.
    `deterministic` is False where the same input may give another answer (sampling, a remote server).
    """

    name: str
    summary: str
    reference: str
    context: Context
    licence: str
    floor: bool = False
    deterministic: bool = True


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the harness grants a system: where to compute, what it may reach, where it may write.

    `device` is a torch device name or "auto" (an accelerator if there is one). `cache_dir` keeps what is costly
    and shared by runs (sentence embeddings). `run_dir` is the folder of the run under way, None outside a run.
    """

    seed: int = 0
    device: str = "auto"
    offline: bool = False
    cache_dir: Path | None = None
    run_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """What one run of a system takes: cores, accelerators, and GiB of memory.

    `cpus` is also the number of threads that the run computes with, wherever and beside whatever it runs, so that the
    last bits of what was learned depend on no machine. `gpus` may be a part of one (0.5: two runs share it).
    """

    cpus: int = 1
    gpus: float = 0.0
    memory_gib: float = 3.0

    def __post_init__(self) -> None:
        if self.cpus < 1 or self.gpus < 0 or self.memory_gib <= 0:
            raise ValueError(f"resources must be at least one core, no less than no GPU and some memory, got {self}")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A system's answer for one target.

    `label` is None when the system gave no usable answer: never a default label. `scores` maps labels to
    numbers, higher is likelier. `raw` is the text a language model wrote. `usage` counts what the answer cost
    (for example `prompt_tokens`), summed over the run in the record.
    """

    dialogue: str
    turn: int
    label: str | None
    scores: Mapping[str, float] | None = None
    raw: str | None = None
    usage: Mapping[str, float] | None = None

    @property
    def target(self) -> Target:
        """The utterance this answers for."""
        return Target(self.dialogue, self.turn)


@dataclass(frozen=True)
class NoConfig:
    """The config of a system without settings."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a system says of itself after a run: notes for the board, and measurements for the record.

    `prices` are the prices of one unit of kinds of `Prediction.usage`; the record's `cost` is made of them and of the
    whole run's usage. `waited_seconds` is how long the last `predict` waited for a server before it could ask: no part
    of the run's speed.
    """

    notes: tuple[str, ...] = ()
    measurements: Mapping[str, Any] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    waited_seconds: float = 0.0


class System(ABC, Generic[ConfigT]):
    """A system under test. Subclass it, register the class under the entry-point group `erc_bench.systems`.

    It is generic in its settings: `class MySystem(System[MyConfig])`, or `System[NoConfig]` without any. `MyConfig` is a
    dataclass whose fields are made with `erc_bench.contract.config.option`; the harness builds it from `--set
    field=value`, and it is `self.config`. A subclass of a system that has more settings, or other defaults, says
    `Config = ` a subclass of the other's. A constructor must be cheap: load weights in `fit`, `load` or `predict`.
    """

    info: ClassVar[SystemInfo]
    Config: ClassVar[type[Any]] = NoConfig

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for base in cls.__dict__.get("__orig_bases__", ()):
            if get_origin(base) is System and isinstance(get_args(base)[0], type) and "Config" not in cls.__dict__:
                cls.Config = get_args(base)[0]

    def __init__(self, config: ConfigT | None = None, *, labels: LabelSet, runtime: Runtime | None = None) -> None:
        self.config: ConfigT = self.Config() if config is None else config
        self.labels = labels
        self.runtime = runtime or Runtime()

    @property
    def context(self) -> Context:
        """The context this configuration reads; override where a setting changes it."""
        return self.info.context

    @classmethod
    def decision_of(cls, config: Mapping[str, Any]) -> str:
        """How a run with these recorded settings chose among scores: `calibrated`, `argmax` or `none`.

        By default what the setting `decision` says; `none` where there is no such setting. Override where a system
        compares scores without it.
        """
        return str(recorded_value(cls.Config, config, "decision") or NO_DECISION)

    @property
    def parameters(self) -> int | None:
        """Number of parameters of everything that runs at prediction time; None where it has no meaning."""
        return None

    @property
    def resources(self) -> Resources:
        """What a run of this configuration takes; override where that is not three GiB and, on `cuda`, a GPU.

        As many cores as a setting `threads` says (`erc_bench.toolkit.threads.threads_option`), one without it.
        """
        gpus = 1.0 if self.runtime.device.startswith("cuda") else 0.0
        return Resources(cpus=getattr(self.config, "threads", 1), gpus=gpus)

    @property
    def trains(self) -> bool:
        """Whether this configuration has something to learn; override where a setting changes it."""
        return type(self).fit is not System.fit

    def fit(self, train: Sequence[Dialogue], validation: Sequence[Dialogue], *, seed: int, progress: Progress) -> None:
        """Learn from labelled dialogues. Zero-shot systems leave this as it is."""

    @abstractmethod
    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterable[Prediction]:
        """Yield one prediction a target, in any order.

        `dialogues` carry no labels and hold every dialogue that a target names. The answer for a target must not
        depend on which other targets are asked: a resumed run asks for the remaining ones only.
        """

    def embed(self, dialogues: Sequence[Dialogue], *, progress: Progress) -> Iterable[NDArray[np.float32]]:
        """Yield one float32 (utterances, dim) array a dialogue, in order. Only systems that embed have this."""
        raise SystemFailedError(f"the system {self.info.name} has no embeddings")

    @property
    def embeds(self) -> bool:
        """Whether this system has utterance embeddings."""
        return type(self).embed is not System.embed

    def save(self, folder: Path) -> None:
        """Write what `fit` learned into an empty folder: safetensors and JSON, never pickle."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote; afterwards `predict` answers as it did in the process that trained."""

    def report(self) -> Report:
        """Notes and measurements for the run record, asked for after the last prediction."""
        return Report()

    def close(self) -> None:
        """Release what the system holds (a server, a connection). Called once, also after a failure."""
