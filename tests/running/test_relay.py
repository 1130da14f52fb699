from __future__ import annotations

import pickle

import pytest

from erc_bench.progress import LineProgress
from erc_bench.running.relay import Advanced, Ended, Message, Note, Playback, RelayProgress, Started


def test_what_happens_there_is_shown_here(capsys: pytest.CaptureFixture[str]) -> None:
    playback = Playback(LineProgress(), "prior, seed 3")
    progress = RelayProgress(lambda message: playback.show(pickle.loads(pickle.dumps(message))))
    progress.note("hello")
    with progress.task("Training", total=3, unit="epochs") as outer, progress.task("Embedding", total=5) as inner:
        outer.advance()
        inner.advance(5)
        outer.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[prior, seed 3] hello"
    assert lines[1].startswith("[prior, seed 3] Embedding: 5/5 (100%)")
    assert lines[2].startswith("[prior, seed 3] Training: 3/3 (100%) epochs")


def test_few_messages_and_no_unit_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("erc_bench.running.relay.time.monotonic", lambda: now)
    sent: list[Message] = []
    with RelayProgress(sent.append).task("Counting", total=1000) as task:
        for _ in range(1000):
            now += 0.001
            task.advance()
    assert sent[0] == Started(0, "Counting", 1000, "")
    assert sent[-1] == Ended(0)
    amounts = [message.amount for message in sent if isinstance(message, Advanced)]
    assert sum(amounts) == 1000
    assert len(amounts) <= 5


def test_a_run_that_is_gone_leaves_no_open_task(capsys: pytest.CaptureFixture[str]) -> None:
    playback = Playback(LineProgress(), "prior")
    for message in (Started(0, "Training", 2, ""), Advanced(0, 1), Advanced(9, 1), Ended(9), Note("still here")):
        playback.show(message)
    assert "Training" not in capsys.readouterr().err
    playback.close()
    playback.close()
    assert capsys.readouterr().err.count("[prior] Training: 1/2 (50%)") == 1
