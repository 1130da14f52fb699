"""Whatever stands in the files of a corpus, reading them names problems or refuses them, and never crashes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erc_bench.contract.domain import LabelSet, Split
from erc_bench.data import emorynlp, iemocap, meld
from erc_bench.data.folder import described
from erc_bench.data.jsonl import read_jsonl
from erc_bench.data.spec import SplitReading
from erc_bench.data.table import Columns, read_csv
from erc_bench.errors import DataError

LABELS = LabelSet(("calm", "joy"), neutral="calm")
HEAD = b"Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
SCENES = (
    b'{"episodes": [{"scenes": [{"scene_id": "c1", "utterances": [\n'
    b'{"utterance_id": "u1", "speakers": ["Ana"], "transcript": "Oh.", "emotion": "Sad"}]}]}]}'
)
TURN = b"Ses05F_impro01_F000"


def one_session(folder: Path, data: bytes) -> SplitReading:
    for kind in ("EmoEvaluation", "transcriptions"):
        path = folder / "Session5" / "dialog" / kind / "Ses05F_impro01.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return iemocap.read_split(folder, "test")


def official(read: Callable[[Path, Split], SplitReading], file: str) -> Callable[[Path, bytes], SplitReading]:
    def written(folder: Path, data: bytes) -> SplitReading:
        (folder / file).write_bytes(data)
        return read(folder, "test")

    return written


READERS: dict[str, tuple[bytes, Callable[[Path, bytes], object]]] = {
    "meld": (
        HEAD + b'1,"Oh, no",Ana,joy,positive,0,0\n2,Yes,Bo,fear,x,0,1\n',
        official(meld.read_split, meld.FILES["test"]),
    ),
    "emorynlp": (SCENES, official(emorynlp.read_split, emorynlp.FILES["test"])),
    "iemocap": (
        b"[6.2901 - 8.2357]\t" + TURN + b"\tneu\t[2.5, 2.5, 2.5]\n" + TURN + b" [006.2901-008.2357]: Hm.\n",
        one_session,
    ),
    "jsonl": (
        b'{"id": "a", "utterances": [{"speaker": "A", "text": "Hi.", "label": "joy"}]}\n',
        official(lambda folder, split: read_jsonl(folder / "test.jsonl", split, LABELS), "test.jsonl"),
    ),
    "csv": (
        b"dialogue,speaker,text,label\nd,A,Hi.,joy\nd,B,Oh.,calm\n",
        official(lambda folder, split: read_csv(folder / "test.csv", split, LABELS, Columns()), "test.csv"),
    ),
    "dataset.toml": (
        b'labels = ["calm", "joy"]\nneutral = "calm"\nranking_metric = "mcc"\nlicence = "x"\n[columns]\ntext = "t"\n',
        lambda folder, data: ((folder / "dataset.toml").write_bytes(data), described(folder)),
    ),
}
PIECES = [
    b"\xff",
    b"\x00",
    b'"',
    b"\n",
    b"\r",
    b",",
    b"{",
    b"]",
    b"\\ud800",
    b"null",
    b"9" * 5000,
    "’".encode(),
    b"[" * 3000,
]


@pytest.mark.parametrize("reader", READERS)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_never_crashes(reader: str, tmp_path: Path, data: st.DataObject) -> None:
    content, read = READERS[reader]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        content = content[:start] + data.draw(st.sampled_from(PIECES) | st.binary(max_size=6)) + content[end:]
    with suppress(DataError):
        read(tmp_path, content)


@pytest.mark.parametrize("reader", READERS)
def test_the_file_is_read_where_it_is_whole(reader: str, tmp_path: Path) -> None:
    content, read = READERS[reader]
    reading = read(tmp_path, content)
    assert not isinstance(reading, SplitReading) or (reading.problems, len(reading.dialogues)) == ((), 1)
