"""Everything that reads what others wrote, as functions of bytes: `read(folder, data)` reads it, or refuses it in words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from erc_bench.board.published import FILE as PUBLISHED_FILE
from erc_bench.board.published import parse_published
from erc_bench.contract.config import parse_settings
from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Split, Utterance, targets_of
from erc_bench.contract.registry import system_class, system_names
from erc_bench.contract.system import Prediction
from erc_bench.data import dailydialog, emorynlp, iemocap, meld
from erc_bench.data.folder import described
from erc_bench.data.jsonl import read_jsonl
from erc_bench.data.spec import SplitReading
from erc_bench.data.table import Columns, read_csv
from erc_bench.errors import ErcBenchError
from erc_bench.protocols.few_shot import evidence as few_shot
from erc_bench.protocols.triplet import evidence as triplet
from erc_bench.records.predictions import PACKED_FILE, PREDICTIONS_FILE, packed, predictions_bytes, read_predictions
from erc_bench.records.record import RUN_FILE, RunRecord, read_record
from erc_bench.running.import_predictions import read_predictions_file
from erc_bench.running.plan import read_plan
from erc_bench.toolkit.prompts import load_prompt

LABELS = LabelSet(("calm", "joy"), neutral="calm")
TALK = Dialogue("d", (Utterance("Hi.", "A", "joy"), Utterance("Oh.", "B", "calm")))
DATASET = Dataset("toy", LABELS, (TALK,), (TALK,), (TALK,))
TURN = b"Ses05F_impro01_F000"
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "joy"}}],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 2},
    },
}


@dataclass(frozen=True)
class Target:
    """Something that reads: valid inputs to begin with, and whether a refusal must name the file."""

    read: Callable[[Path, bytes], object]
    seeds: tuple[bytes, ...]
    names_file: bool = True


def _written(file: str, read: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def work(folder: Path, data: bytes) -> object:
        (folder / file).write_bytes(data)
        return read(folder)

    return work


def _split(read: Callable[[Path, Split], SplitReading], file: str) -> Callable[[Path, bytes], object]:
    return _written(file, lambda folder: read(folder, "test"))


def _dailydialog(folder: Path, data: bytes) -> object:
    dialogues, _, emotions = data.partition(b"\0\0")
    return dailydialog.parse_split(dailydialog.SplitFiles("test", "memory", dialogues, emotions))


def _session(folder: Path, data: bytes) -> object:
    for kind in ("EmoEvaluation", "transcriptions"):
        path = folder / "Session5" / "dialog" / kind / "Ses05F_impro01.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return iemocap.read_split(folder, "test")


def _packed(folder: Path, data: bytes) -> object:
    (folder / PREDICTIONS_FILE).unlink(missing_ok=True)
    (folder / PACKED_FILE).write_bytes(data)
    return read_predictions(folder)


def _plain(folder: Path, data: bytes) -> object:
    (folder / PREDICTIONS_FILE).write_bytes(data)
    return read_predictions(folder)


def _settings(folder: Path, data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    names = system_names()
    name = names[len(text) % len(names)]
    return parse_settings(system_class(name).Config, text.split("\n"), owner=name)


def _published(folder: Path, data: bytes) -> object:
    return parse_published(data.decode("utf-8", "replace"))


def _prompt(folder: Path, data: bytes) -> object:
    (folder / "mine.txt").write_bytes(data)
    template = load_prompt(str(folder / "mine.txt"), required=["dialogue"], optional=["target", "labels"])
    return template.render(dialogue="{", target="}", labels="{x}")


def _answer(folder: Path, data: bytes) -> object:
    """What a model server sends, through the openai client."""
    import httpx
    from openai import AsyncOpenAI, OpenAIError

    from erc_bench.systems.llm.client import Endpoint
    from erc_bench.systems.llm.config import LLMConfig
    from erc_bench.systems.llm.modes import Interviewer
    from erc_bench.systems.llm.prompting import PLACEHOLDERS, Prompter

    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=data, headers={"Content-Type": "application/json"})

    async def ask() -> Prediction:
        config = LLMConfig(model="m", mode="generate" if len(data) % 2 else "choose")
        prompt = load_prompt("labels", required=["dialogue"], optional=PLACEHOLDERS)
        interviewer = Interviewer(config, Prompter(prompt, LABELS, context="dialogue", examples=[]), LABELS, seed=0)
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
            client = AsyncOpenAI(base_url="http://x/v1", api_key="k", max_retries=0, http_client=cast("Any", http))
            answer: Prediction = await interviewer.ask(Endpoint("http://x", "m", client), TALK, 0)
            return answer

    try:
        return predictions_bytes([asyncio.run(ask())])
    except OpenAIError:  # retried by the session, and then explained
        return None


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


RECORD = RunRecord(
    status="complete",
    system="toy",
    config_hash="0123456789ab",
    seed=0,
    targets="all",
    dataset="toy",
    dataset_fingerprint=DATASET.fingerprint,
)
LINES = predictions_bytes(Prediction(*target, "joy", {"joy": 0.5}) for target in targets_of(DATASET.test))
SCENE = {"utterance_id": "u1", "speakers": ["Ana"], "transcript": "Oh.", "emotion": "Sad"}
TRIPLETS = {
    "schema_version": 1,
    "derived_from": "embeddings.npz",
    "embeddings_sha256": "0" * 64,
    "dataset_fingerprint": DATASET.fingerprint,
    "labels": ["calm", "joy"],
    "seed": 0,
    "tie": 0.0001,
    "vectors": 2,
    **{name: [[[1, 0], [0, 1]]] * 10 for name in ("correct", "ties", "wrong")},
}
EPISODES = {
    "schema_version": 1,
    "dataset_fingerprint": DATASET.fingerprint,
    "labels": ["calm", "joy"],
    "withheld": "joy",
    "seed": 0,
    "episodes": 1,
    "confusions": {"1": [[[1]]]},
    "corrected": {"1": [[[1]]]},
}
TARGETS: dict[str, Target] = {
    "dailydialog": Target(_dailydialog, (b"Hi . __eou__ Oh . __eou__\n\0\00 4 \n",), names_file=False),
    "meld": Target(
        _split(meld.read_split, meld.FILES["test"]),
        (b'Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n1,"Oh, no",Ana,joy,positive,0,0\n',),
    ),
    "emorynlp": Target(
        _split(emorynlp.read_split, emorynlp.FILES["test"]),
        (_json({"episodes": [{"scenes": [{"scene_id": "c1", "utterances": [SCENE]}]}]}),),
    ),
    "iemocap": Target(
        _session, (b"[6.2 - 8.2]\t" + TURN + b"\tneu\t[2.5, 2.5, 2.5]\n" + TURN + b" [006.2-008.2]: Hm.\n",)
    ),
    "JSON lines": Target(
        _written("test.jsonl", lambda folder: read_jsonl(folder / "test.jsonl", "test", LABELS)),
        (b'{"id": "a", "utterances": [{"speaker": "A", "text": "Hi.", "label": "joy"}]}\n',),
    ),
    "CSV": Target(
        _written("test.csv", lambda folder: read_csv(folder / "test.csv", "test", LABELS, Columns())),
        (b"dialogue,speaker,text,label\nd,A,Hi.,joy\nd,B,Oh.,calm\n",),
    ),
    "dataset.toml": Target(
        _written("dataset.toml", lambda folder: described(folder)),
        (
            b'labels = ["calm", "joy"]\nneutral = "calm"\nranking_metric = "mcc"\nlicence = "x"\n[columns]\ntext = "t"\n',
        ),
    ),
    "predictions": Target(_plain, (LINES,)),
    "packed predictions": Target(_packed, (packed(LINES),)),
    "predictions made elsewhere, JSON": Target(
        _written("mine.jsonl", lambda folder: read_predictions_file(folder / "mine.jsonl", DATASET)), (LINES,)
    ),
    "predictions made elsewhere, CSV": Target(
        _written("mine.csv", lambda folder: read_predictions_file(folder / "mine.csv", DATASET)),
        (b"dialogue,turn,label\nd,0,joy\nd,1,\n",),
    ),
    "run record": Target(_written(RUN_FILE, read_record), (RECORD.model_dump_json().encode(),)),
    "triplets": Target(
        _written(triplet.TRIPLETS_FILE, lambda folder: triplet.run_counts(folder, DATASET)), (_json(TRIPLETS),)
    ),
    "few-shot": Target(
        _written(few_shot.FEW_SHOT_FILE, lambda folder: few_shot.run_counts(folder, DATASET, "joy")), (_json(EPISODES),)
    ),
    "prompt": Target(_prompt, (b"Choose one of {labels} for {target} in: {dialogue} {{x}}\n",)),
    "plan": Target(
        _written("plan.toml", lambda folder: read_plan(folder / "plan.toml")),
        (b'dataset = "sample"\n[[runs]]\nsystem = ["tfidf-logreg"]\nseeds = "0-2"\nsettings = { c = [1, 2] }\n',),
    ),
    "published results": Target(
        _published,
        (Path(__file__).parents[2].joinpath("leaderboard", PUBLISHED_FILE).read_bytes()[:3000],),
        names_file=False,
    ),
    "settings": Target(
        _settings, (b"c=1.5\nngrams=2", b"epochs=3", b"endpoint=http://x:1/v1\nmode=choose"), names_file=False
    ),
    "answer of a server": Target(_answer, (_json(ANSWER),), names_file=False),
}


def try_target(name: str, folder: Path, data: bytes) -> str:
    """Read an input: nothing, or why it was refused.

    Raises
    ------
    AssertionError
        The refusal does not say where or is no sentence, or is a bug by its exit code.
    """
    target = TARGETS[name]
    try:
        target.read(folder, data)
    except ErcBenchError as error:
        text = str(error)
        code = error.exit_code
    else:
        return ""
    assert code in (2, 3, 4), f"{name}: a documented code, got {code}"
    assert len(text.split()) > 3, f"{name}: a sentence, got {text!r}"
    assert not target.names_file or str(folder) in text, f"{name}: a refusal must say where, got {text!r}"
    return text


def pieces() -> Iterator[bytes]:
    """What breaks readers: bytes that are no text, numbers without end, brackets without end, controls."""
    yield from (b"\xff", b"\x00", b'"', b"\n", b"\r", b",", b"{", b"]", b"\\ud800", b"null", b"nan", b"-1", b"1e999")
    yield from (b"9" * 5000, "’".encode(), b"[" * 3000, b"\x1b[2J", b"true", b"'", b"=", "\u2028".encode())
