"""Memory and time of reading predictions: an eighth of a million utterances and a million, in a process each.

Counted is what reading adds to the test split that is in memory anyway: two bytes an utterance and one block of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LIMITS = {"added_mib_million": ("<=", 64.0)}
LABELS = ("no emotion", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
TURNS = 10


def figures(*, tiny: bool = False) -> dict[str, float]:
    """Megabytes of the file, those that reading it adds, and utterances a second, at two sizes."""
    result: dict[str, float] = {}
    for name, utterances in (("eighth", 1_000 if tiny else 125_000), ("million", 2_000 if tiny else 1_000_000)):
        found = subprocess.run(
            [sys.executable, __file__, str(utterances)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        result |= {f"{key}_{name}": value for key, value in json.loads(found).items()}
    return result


def _peak_mib() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _measure(utterances: int) -> dict[str, float]:
    from erc_bench.contract.domain import Dataset, Dialogue, LabelSet, Utterance
    from erc_bench.records.answers import AnswerReader

    same = tuple(Utterance("So?", "AB"[turn % 2], LABELS[turn % 7]) for turn in range(TURNS))
    test = tuple(Dialogue(f"test-{number:06}", same) for number in range(utterances // TURNS))
    dataset = Dataset("made-up", LabelSet(LABELS, LABELS[0]), (), (), test)
    scores = dict.fromkeys(LABELS, 0.14286)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "predictions.jsonl"
        with path.open("w") as file:
            for dialogue in test:
                for turn in range(TURNS):
                    line = {"dialogue": dialogue.id, "turn": turn, "label": LABELS[turn % 7], "scores": scores}
                    file.write(json.dumps(line, separators=(",", ":")) + "\n")
        reader = AnswerReader(dataset, Path(name))
        before, start = _peak_mib(), time.perf_counter()
        codes = reader.of_file(path).codes
        seconds = time.perf_counter() - start
        assert len(codes) == len(test) * TURNS
        assert (codes.reshape(-1, TURNS) == np.arange(TURNS) % 7).all()
        return {
            "file_mib": path.stat().st_size / 2**20,
            "added_mib": _peak_mib() - before,
            "utterances_a_second": len(codes) / seconds,
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(int(sys.argv[1]))))
