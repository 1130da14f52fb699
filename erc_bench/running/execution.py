"""The phases of one run, in order: train, check the claimed context, predict, embed, measure, finish."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from erc_bench.contract.domain import Dialogue, Target, targets_of
from erc_bench.contract.system import Prediction, Report, System
from erc_bench.data.overlap import seen_elsewhere
from erc_bench.errors import SystemFailedError
from erc_bench.files import file_sha256, replacing, write_atomically
from erc_bench.progress import Progress
from erc_bench.protocols.registry import protocols
from erc_bench.records import provenance
from erc_bench.records.predictions import PREDICTIONS_FILE, prediction_line, predictions_bytes, salvage_predictions
from erc_bench.records.record import EMBEDDINGS_FILE, MODEL_FOLDER, Run, RunRecord, write_record
from erc_bench.records.seen import write_seen
from erc_bench.running.context_check import check_context
from erc_bench.running.folder import UNFINISHED_MODEL
from erc_bench.running.request import RunRequest, now
from erc_bench.shown import on_one_line
from erc_bench.toolkit.threads import fixed_threads

FIT_FILE = "fit.json"
PROBE_DIALOGUES = 32


class Execution:
    """The phases of one run, in order; `record` is filled as they pass."""

    def __init__(self, request: RunRequest, folder: Path, record: RunRecord, progress: Progress) -> None:
        self.request, self.folder, self.record, self.progress = request, folder, record, progress
        self.test = tuple(dialogue.without_labels() for dialogue in request.dataset.test)
        self.targets = targets_of(self.test, request.targets)
        self._process = os.getpid()
        self.runtime = replace(request.runtime, seed=request.seed, run_dir=folder)

    def run(self) -> RunRecord:
        """Make what is not there yet, and return the record of the complete run."""
        threads = self.request.build().resources.cpus
        self.record.hardware["threads"] = threads
        self._empty = self.record.model_copy(deep=True)
        # What answers at random gains nothing from fixed threads, and what it starts (a server) would inherit them.
        with fixed_threads(threads) if self.request.system.info.deterministic else nullcontext():
            return self._run()

    def _run(self) -> RunRecord:
        system = self.request.build(self.runtime)
        try:
            if system.trains:
                self._fit(system)
                # What predicts is always what was saved, so that a resumed run and an unbroken one are the same.
                system.close()
                system = self.request.build(self.runtime)
                system.load(self.folder / MODEL_FOLDER)
            self.record.context = system.context
            self.record.context_check = check_context(system, self.test, progress=self.progress)
            end_copies(self._process)
            predictions = self._predict(system)
            if system.embeds:
                self._embed(system)
            self._derive(system)
            report = system.report()
            self._charge(predictions, report)
            self.record.parameters = system.parameters
        finally:
            system.close()
        if system.info.deterministic:
            self.record.utterances_per_second = self._probe_speed()
        self._report(report)
        return self._finish(predictions)

    def _report(self, report: Report) -> None:
        """Enter what the system says of the run, if a record can hold it."""
        said = {
            "notes": [*self.request.said_of_training(), *report.notes],
            "measurements": {**report.measurements},
            "parameters": self.record.parameters,
            "context": self.record.context,
            "usage": self.record.usage,
        }
        try:
            checked = RunRecord.model_validate(self.record.model_dump(warnings=False) | said, strict=True)
            json.dumps(checked.model_dump(mode="json"))
        except (ValueError, TypeError, RecursionError) as error:
            for name in said:
                setattr(self.record, name, getattr(self._empty, name))
            raise SystemFailedError(
                f"what the system {self.record.system} says of its run must fit a run record, got {on_one_line(error, 300)}."
            ) from None
        self.record.notes, self.record.measurements = checked.notes, checked.measurements

    def _fit(self, system: System[Any]) -> None:
        model = self.folder / MODEL_FOLDER
        if not model.is_dir():
            unfinished = self.folder / UNFINISHED_MODEL
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            started = time.perf_counter()
            train, validation = map(_copied, self.request.training())
            system.fit(train, validation, seed=self.request.seed, progress=self.progress)
            seconds = round(time.perf_counter() - started, 3)
            system.save(unfinished)
            fit = {"train_seconds": seconds, "peak_memory_mb": provenance.peak_memory_mb()}
            (unfinished / FIT_FILE).write_text(json.dumps(fit))
            unfinished.rename(model)
        else:
            self.progress.note(f"{self.record.title}: already trained, using {model}")
        fit = json.loads((model / FIT_FILE).read_text())
        self.record.timings["train"] = fit["train_seconds"]
        self.record.peak_memory_mb = fit["peak_memory_mb"]

    def _predict(self, system: System[Any]) -> list[Prediction]:
        found = salvage_predictions(self.folder)
        if found:
            self.progress.note(
                f"{self.record.title}: {len(found)} of {len(self.targets)} predictions were there already"
            )
        remaining = [target for target in self.targets if target not in found]
        if remaining:
            started = time.perf_counter()
            wanted = {target.dialogue for target in remaining}
            dialogues = [dialogue for dialogue in self.test if dialogue.id in wanted]
            answers = system.predict(dialogues, [*remaining], progress=self.progress)
            found |= self._append(answers, remaining)
            seconds = time.perf_counter() - started
            self.record.timings["predict"] = round(seconds, 3)
            waited = system.report().waited_seconds
            if waited:
                self.record.timings["wait_for_server"] = round(waited, 3)
            self.record.utterances_per_second = round(len(remaining) / (seconds - waited), 2)
        return [found[target] for target in self.targets]

    def _charge(self, predictions: list[Prediction], report: Report) -> None:
        """Sum what the answers used; the price is that of now, also for what an earlier process asked."""
        self.record.usage = usage = total_usage(predictions)
        if any(kind not in (p.usage or {}) for p in predictions for kind in report.prices):
            self.progress.note(f"{self.record.title}: no cost, since not every answer came with its number of tokens")
        elif report.prices:
            usage["cost"] = round(sum(usage.get(kind, 0) * price for kind, price in report.prices.items()), 9)

    def _append(self, answers: Iterable[Prediction], remaining: list[Target]) -> dict[Target, Prediction]:
        open_targets = set(remaining)
        found: dict[Target, Prediction] = {}
        with (self.folder / PREDICTIONS_FILE).open("ab") as file:
            for prediction in answers:
                end_copies(self._process)
                self._check(prediction, open_targets)
                open_targets.remove(prediction.target)
                found[prediction.target] = prediction
                file.write(prediction_line(prediction))
                file.flush()
        if open_targets:
            raise SystemFailedError(
                f"the system {self.record.system} must answer every target, got no prediction for {len(open_targets)} of "
                f"{len(remaining)}, for example {sorted(open_targets)[0]}."
            )
        return found

    def _check(self, prediction: Prediction, open_targets: set[Target]) -> None:
        if not isinstance(prediction, Prediction):
            raise SystemFailedError(
                f"the system {self.record.system} must yield a Prediction for each target, got "
                f"{on_one_line(repr(prediction), 80)}."
            )
        if prediction.target not in open_targets:
            raise SystemFailedError(
                f"the system {self.record.system} must answer each target it was asked once, got "
                f"{on_one_line(prediction.target, 80)} that was not asked or already answered."
            )
        labels = self.request.labels.names
        if prediction.label is not None and prediction.label not in labels:
            raise SystemFailedError(
                f"a predicted label must be one of {', '.join(labels)} or None, got "
                f"{on_one_line(repr(prediction.label), 80)} from {self.record.system} for {prediction.target}."
            )

    def _embed(self, system: System[Any]) -> None:
        import numpy as np

        path = self.folder / EMBEDDINGS_FILE
        if path.is_file():
            return
        started = time.perf_counter()
        arrays = [np.asarray(array, dtype=np.float32) for array in system.embed(self.test, progress=self.progress)]
        lengths = [len(array) for array in arrays]
        if lengths != [len(dialogue) for dialogue in self.test]:
            raise SystemFailedError(
                f"the system {self.record.system} must give one (utterances, dim) array a dialogue, got other lengths."
            )
        with replacing(path) as file:
            np.savez(file, embeddings=np.concatenate(arrays), lengths=np.array(lengths))
        self.record.timings["embed"] = round(time.perf_counter() - started, 3)

    def _derive(self, system: System[Any]) -> None:
        """Keep what protocols need of the embeddings, of the loaded system and of another corpus: none is committed."""
        other, test = self.request.train_on, self.request.dataset
        if other is not None:
            write_seen(self.folder, test, other.fingerprint, seen_elsewhere(test.test, other.train))
        for protocol in protocols().values():
            protocol.derive(Run(self.folder, self.record), self.request.dataset, system, self.progress)

    def _probe_speed(self) -> float:
        """Utterances a second on a sample, with no cache to help: a figure that all systems' rows share."""
        system = self.request.build(replace(self.runtime, cache_dir=None))
        sample = self.test[:PROBE_DIALOGUES]
        targets = targets_of(sample, "all")
        try:
            if system.trains:
                system.load(self.folder / MODEL_FOLDER)
            with self.progress.task("Measuring speed", total=len(targets), unit="utterances") as task:
                warm_up = self.test[PROBE_DIALOGUES : PROBE_DIALOGUES + 1] or sample[:1]
                list(system.predict(warm_up, targets_of(warm_up, "last"), progress=self.progress))
                started = time.perf_counter()
                for _ in system.predict(sample, targets, progress=self.progress):
                    task.advance()
                seconds = time.perf_counter() - started
        finally:
            system.close()
        return round(len(targets) / seconds, 1)

    def _finish(self, predictions: list[Prediction]) -> RunRecord:
        from erc_bench.protocols.headline import headline_scores

        end_copies(self._process)
        path = self.folder / PREDICTIONS_FILE
        write_atomically(path, predictions_bytes(predictions))
        record = self.record
        record.predictions = len(predictions)
        record.predictions_sha256 = file_sha256(path)
        record.scores = headline_scores(self.request.dataset, record.targets, predictions, record.shared_labels)
        record.hardware |= provenance.hardware()
        peaks = [record.peak_memory_mb, provenance.peak_memory_mb()]
        record.peak_memory_mb = max((peak for peak in peaks if peak is not None), default=None)
        record.status, record.error, record.finished = "complete", None, now()
        write_record(self.folder, record)
        return record


def end_copies(process: int) -> None:
    """End this process if it is not the one of that number: a copy that a system forked has no part in the run."""
    if os.getpid() != process:
        os._exit(1)


def _copied(dialogues: Iterable[Dialogue]) -> tuple[Dialogue, ...]:
    """The same dialogues as objects of their own: a system that changes what it is given changes no other run."""
    return tuple(replace(d, utterances=tuple(replace(u) for u in d.utterances)) for d in dialogues)


def total_usage(predictions: Iterable[Prediction]) -> dict[str, float]:
    """What all answers cost together, by kind, in the order of first appearance."""
    total: dict[str, float] = {}
    for kind, amount in itertools.chain.from_iterable((p.usage or {}).items() for p in predictions):
        total[kind] = total.get(kind, 0) + amount
    return total
