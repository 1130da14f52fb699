"""Proof of the context a system claims: withhold what it says it does not read, and compare the answers.

A system that labels an utterance from the utterance alone must answer the same when every other text of the
dialogue is replaced; a system that reads the past must answer the same when the dialogue ends at the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Context, Prediction, System
from erc_bench.errors import SystemFailedError
from erc_bench.progress import Progress, SilentProgress
from erc_bench.records.record import ContextCheck

SAMPLE_DIALOGUES = 12
SCORE_TOLERANCE = 1e-3  # batches of another shape may round differently: only a real change of mind counts
WITHHELD = "(withheld)"


def withheld(dialogue: Dialogue, turn: int, context: Context) -> Dialogue:
    """The dialogue with all that a system of this context must not need for the utterance at `turn`."""
    if context == "dialogue":
        return dialogue
    if context == "past":
        return replace(dialogue, utterances=dialogue.utterances[: turn + 1])
    utterances = tuple(
        utterance if position == turn else replace(utterance, text=WITHHELD)
        for position, utterance in enumerate(dialogue.utterances)
    )
    return replace(dialogue, utterances=utterances)


def check_context(
    system: System[Any], dialogues: Sequence[Dialogue], *, progress: Progress | None = None
) -> ContextCheck:
    """Compare a system's answers with and without what it says it does not read.

    Parameters
    ----------
    system
        Ready to predict.
    dialogues
        The test split without labels; the first dialogues of at least three utterances are used.

    Raises
    ------
    SystemFailedError
        An answer changed: the claim is false.
    """
    if system.context == "dialogue":
        return ContextCheck(tested=False, reason="reads the whole dialogue: nothing to withhold")
    if not system.info.deterministic:
        return ContextCheck(tested=False, reason="answers are sampled: two answers may differ for that reason alone")
    sample = [dialogue for dialogue in dialogues if len(dialogue) >= 3][:SAMPLE_DIALOGUES]
    targets = [target for dialogue in sample for target in dialogue.targets()]
    full = _answers(system, sample, targets)
    progress = progress or SilentProgress()
    with progress.task("Checking the claimed context", total=len(targets), unit="utterances") as task:
        for dialogue in sample:
            for target in dialogue.targets():
                shortened = withheld(dialogue, target.turn, system.context)
                answer = _answers(system, [shortened], [target])[target]
                if _differs(full[target], answer):
                    raise SystemFailedError(
                        f"the system {system.info.name} says that it reads context={system.context}, but its answer for "
                        f"{target.dialogue} turn {target.turn} changed from {full[target].label!r} to {answer.label!r} when "
                        "all else was withheld. Correct `context` in its info, or the system."
                    )
                task.advance()
    return ContextCheck(tested=True, targets=len(targets))


def _answers(system: System[Any], dialogues: Sequence[Dialogue], targets: Sequence[Target]) -> dict[Target, Prediction]:
    found = {answer.target: answer for answer in system.predict(dialogues, targets, progress=SilentProgress())}
    missing = [target for target in targets if target not in found]
    if missing:
        raise SystemFailedError(
            f"the system {system.info.name} must answer every target, got no prediction for {len(missing)} of "
            f"{len(targets)}, for example {missing[0]}."
        )
    return found


def _differs(first: Prediction, second: Prediction) -> bool:
    if first.label == second.label:
        return False
    if first.scores is None or second.scores is None:
        return True
    labels = set(first.scores) | set(second.scores)
    return any(abs(first.scores.get(n, 0.0) - second.scores.get(n, 0.0)) > SCORE_TOLERANCE for n in labels)
