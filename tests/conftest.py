"""Fixtures shared by all tests: datasets, run records, and an invented release with a server to download it from."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import os
import signal
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

import pytest

from erc_bench.contract.domain import SPLITS, Dataset, Dialogue, Split, Targets, Utterance, targets_of
from erc_bench.contract.registry import DATASET_GROUP, registered
from erc_bench.contract.system import Prediction
from erc_bench.data import load_dataset
from erc_bench.data import registry as datasets
from erc_bench.data.dailydialog import DAILYDIALOG, LABELS, SplitFiles, parse_split
from erc_bench.data.emorynlp import EMORYNLP
from erc_bench.data.locate import place_of
from erc_bench.data.meld import MELD
from erc_bench.data.spec import DatasetSpec, Facts, Mirror, SplitFacts, measure
from erc_bench.files import file_sha256
from erc_bench.protocols.headline import headline_scores
from erc_bench.records.predictions import PREDICTIONS_FILE, predictions_bytes
from erc_bench.records.record import ContextCheck, Run, RunRecord, run_folder, write_record

# A parent that ignores Ctrl-C (`make test &` in a script) would pass that on to every process that the tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def real_folder(spec: DatasetSpec) -> Path:
    """Where a real corpus lies; skips the test where ERC_BENCH_DATA_DIR does not lead to it."""
    folder = os.environ.get("ERC_BENCH_DATA_DIR")
    place = place_of(spec, Path(folder)) if folder else None
    if place is None or not place.present:
        pytest.skip(f"ERC_BENCH_DATA_DIR must name a folder with the real {spec.name}")
    return place.folder


@pytest.fixture(scope="session")
def dailydialog_dir() -> Path:
    """Where the real DailyDialog lies; tests that use it carry the mark `data`."""
    return real_folder(DAILYDIALOG)


@pytest.fixture(scope="session")
def dailydialog(dailydialog_dir: Path) -> Dataset:
    return load_dataset("dailydialog", data_dir=dailydialog_dir)


@pytest.fixture(scope="session")
def meld_dir() -> Path:
    """Where the real MELD lies; tests that use it carry the mark `data`."""
    return real_folder(MELD)


@pytest.fixture(scope="session")
def meld(meld_dir: Path) -> Dataset:
    return load_dataset(MELD, data_dir=meld_dir)


@pytest.fixture(scope="session")
def emorynlp_dir() -> Path:
    """Where the real EmoryNLP lies; tests that use it carry the mark `data`."""
    return real_folder(EMORYNLP)


@pytest.fixture(scope="session")
def emorynlp(emorynlp_dir: Path) -> Dataset:
    return load_dataset(EMORYNLP, data_dir=emorynlp_dir)


@pytest.fixture(scope="session")
def sample() -> Dataset:
    return load_dataset("sample")


def zipped(files: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive with the same bytes whenever it holds the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


# invented sentences; the emotions are chosen so that no two splits have the same counts
TINY_TEXTS: dict[Split, list[tuple[str, str]]] = {
    "train": [
        ("Did the parcel come ? __eou__ Yes , this morning ! __eou__", "0 4 "),
        ("Who left the gate open ? __eou__ Not me . __eou__ The goat is gone . __eou__", "1 0 5"),
        ("A wasp ! __eou__ It’s only a hoverfly .\x85 Look . __eou__", "3 0 "),
    ],
    "validation": [("That milk is green . __eou__ Ugh ! __eou__", "0 2")],
    "test": [
        ("Guess who called . __eou__ Marta ? Really ? __eou__", "0 6 "),
        ("The train is late . __eou__", "0 "),
    ],
}


class TinyRelease:
    """A release like DailyDialog's, with a handful of invented dialogues, and the spec it satisfies."""

    def __init__(self) -> None:
        self.texts = {
            split: (
                "".join(f"{text}\n" for text, _ in rows).encode(),
                "".join(f"{emotions}\n" for _, emotions in rows).encode(),
            )
            for split, rows in TINY_TEXTS.items()
        }
        self.archives = {split: self.archive(split, *self.texts[split]) for split in SPLITS}
        self.single = zipped({f"ijcnlp_dailydialog/{split}.zip": self.archives[split] for split in SPLITS})
        parts = {split: parse_split(SplitFiles(split, "memory", *self.texts[split]))[0] for split in SPLITS}
        self.dataset = Dataset("dailydialog", LABELS, parts["train"], parts["validation"], parts["test"])
        self.spec = self.spec_with()

    @staticmethod
    def archive(split: Split, dialogues: bytes, emotions: bytes, *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
        return zipped(
            {
                f"{split}/": b"",
                f"{split}/dialogues_act_{split}.txt": b"1 2\n",
                f"{split}/dialogues_emotion_{split}.txt": emotions,
                f"{split}/dialogues_{split}.txt": dialogues,
            },
            compression=compression,
        )

    def spec_with(self, *mirrors: Mirror) -> DatasetSpec:
        splits: dict[Split, SplitFacts] = {
            split: dataclasses.replace(facts, file_sha256=hashlib.sha256(self.archives[split]).hexdigest())
            for split, facts in measure(self.dataset).items()
        }
        return dataclasses.replace(DAILYDIALOG, facts=Facts(self.dataset.fingerprint, splits), mirrors=mirrors)

    def write_archives(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            (folder / f"{split}.zip").write_bytes(self.archives[split])
        return folder

    def write_texts(self, folder: Path) -> Path:
        for split in SPLITS:
            (folder / split).mkdir(parents=True, exist_ok=True)
            dialogues, emotions = self.texts[split]
            (folder / split / f"dialogues_{split}.txt").write_bytes(dialogues)
            (folder / split / f"dialogues_emotion_{split}.txt").write_bytes(emotions)
        return folder


@pytest.fixture(scope="session")
def tiny_release() -> TinyRelease:
    return TinyRelease()


@dataclass
class Registered:
    """What stands for an entry point of a dataset that no distribution registers."""

    spec: DatasetSpec
    dist: None = None
    value: str = "tests"

    def load(self) -> DatasetSpec:
        return self.spec


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[DatasetSpec], None]:
    """Puts a dataset in place of the registered one of the same name."""

    def register(spec: DatasetSpec) -> None:
        known = {**registered(DATASET_GROUP), spec.name: Registered(spec)}
        monkeypatch.setattr(datasets, "registered", lambda group: known)

    return register


@dataclass
class FileServer:
    """A local web server: `files` by path; a path in `broken` stops halfway that many times before it works.

    `hang` makes a path send half of its bytes and then wait until the server is closed.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    hang: set[str] = field(default_factory=set)
    requested: list[str] = field(default_factory=list)
    half_sent: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def mirror(self, path: str = "", name: str = "a mirror") -> Mirror:
        return Mirror(name, self.url(path))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        self.requested.append(path)
        content = self.files.get(path, b"not here")
        handler.send_response(self.statuses.get(path, 200 if path in self.files else 404))
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        breaks = self.broken.get(path, 0)
        if breaks or path in self.hang:
            content = content[: len(content) // 2]
            self.broken[path] = max(0, breaks - 1)
            handler.close_connection = True
        handler.wfile.write(content)
        if path in self.hang:
            handler.wfile.flush()
            self.half_sent.set()
            self.closing.wait(60)


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def results_kept_apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests read of predictions and compute from them stays out of the user's cache."""
    for module in ("records.answers", "scoring.kept", "data.overlap"):
        monkeypatch.setattr(f"erc_bench.{module}.cache_dir", lambda: tmp_path_factory.getbasetemp() / "cache")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the harness of its own, and no data folder from the environment."""
    monkeypatch.setenv("ERC_BENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ERC_BENCH_DATA_DIR", raising=False)
    return tmp_path / "home"


def _mini_dialogues(split: Split, count: int) -> tuple[Dialogue, ...]:
    """Dialogues of three to five short invented sentences; every label occurs, most often the neutral one."""
    names = LABELS.names
    dialogues = []
    for number in range(count):
        utterances = []
        for turn in range(3 + number % 3):
            emotional = (number + turn) % 3 == 0
            label = names[1 + (number + turn) // 3 % 6] if emotional else LABELS.neutral
            utterances.append(Utterance(f"{split} sentence {number} of turn {turn} .", "AB"[turn % 2], label))
        dialogues.append(Dialogue(f"{split}-{number:05d}", tuple(utterances)))
    return tuple(dialogues)


@pytest.fixture(scope="session")
def mini() -> Dataset:
    """An invented dataset: 24 test dialogues, the first two word for word in train."""
    train, test = _mini_dialogues("train", 12), list(_mini_dialogues("test", 24))
    for position in (0, 1):
        test[position] = dataclasses.replace(train[position], id=test[position].id)
    return Dataset("mini", LABELS, train, _mini_dialogues("validation", 6), tuple(test))


class WriteRun(Protocol):
    """Writes a complete run record and its predictions, from the labels given to the test utterances in order."""

    def __call__(
        self, results: Path, dataset: Dataset, labels: Iterable[str | None], *, system: str = ..., **fields: Any
    ) -> Run: ...


@pytest.fixture
def write_run() -> WriteRun:
    def write(
        results: Path, dataset: Dataset, labels: Iterable[str | None], *, system: str = "echo", **fields: Any
    ) -> Run:
        targets: Targets = fields.pop("targets", "all")
        answers = [
            Prediction(*target, label) for target, label in zip(targets_of(dataset.test, targets), labels, strict=True)
        ]
        seed = fields.get("seed", 0)
        values: dict[str, Any] = {
            "status": "complete",
            "system": system,
            "summary": "an invented system",
            "config_hash": "0123456789ab",
            "seed": 0,
            "targets": targets,
            "dataset": dataset.name,
            "dataset_fingerprint": dataset.fingerprint,
            "context": "utterance",
            "context_check": ContextCheck(tested=True, targets=10),
            "parameters": 1000,
            "timings": {"train": 12.5, "predict": 2.0},
            "utterances_per_second": 250.0,
            "scores": headline_scores(dataset, targets, answers),
            "predictions": len(answers),
            "command": f"erc-bench run --system {system} --dataset {dataset.name} --seed {seed}",
        }
        record = RunRecord(**{**values, **fields})
        folder = run_folder(results, record)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PREDICTIONS_FILE).write_bytes(predictions_bytes(answers))
        if "predictions_sha256" not in fields:
            record.predictions_sha256 = file_sha256(folder / PREDICTIONS_FILE)
        write_record(folder, record)
        return Run(folder, record)

    return write


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Any]:
    """Writes a module of this name with this source where other processes find it, too, and imports it."""

    def written(name: str, source: str) -> Any:
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return written


@pytest.fixture
def gold() -> Callable[[Dataset], list[str]]:
    """The gold labels of all test utterances, in order."""

    def labels(dataset: Dataset) -> list[str]:
        return [utterance.label or "" for dialogue in dataset.test for utterance in dialogue.utterances]

    return labels
