"""From dialogues to token sequences: speakers and turns marked, long dialogues cut at utterances, nothing left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.system import Context

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPEAKERS = 16
START = -1  # the turn of the first token, which belongs to no utterance


class Piece(NamedTuple):
    """An utterance, or a part of one that is too long for a sequence: its turn, its speaker's index, its token ids."""

    turn: int
    speaker: int
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence: `[CLS] u1 [SEP] u2 [SEP] …`, one entry a token in `ids`, `turns`, `speakers` and `pieces`.

    `places` are the tokens (first, behind the last) of each piece that this sequence answers for, the closing [SEP]
    included, and `targets` the utterances that these belong to; the pieces before them are there to be read only. `pieces`
    has the position in `places` of each token's piece, -1 for the tokens that are only read.
    """

    ids: tuple[int, ...]
    turns: tuple[int, ...]
    speakers: tuple[int, ...]
    pieces: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    targets: tuple[Target, ...]

    def __len__(self) -> int:
        return len(self.ids)


def speaker_indices(dialogue: Dialogue) -> list[int]:
    """For each utterance, the place of its speaker in the order of first appearance (all after the 15th share one)."""
    return [min(place, SPEAKERS - 1) for place in dialogue.speaker_order]


@dataclass(frozen=True, slots=True)
class Windower:
    """Cuts dialogues into windows.

    Parameters
    ----------
    tokenizer
        That of the encoder, with a token that starts and one that ends a text.
    context
        `utterance` gives one sequence an utterance; otherwise a sequence holds as many as fit.
    limit
        Tokens of a sequence at most.
    overlap
        Tokens of earlier utterances, at most, that open each sequence of a dialogue after its first.
    """

    tokenizer: PreTrainedTokenizerBase
    context: Context
    limit: int
    overlap: int

    def windows(self, dialogues: Sequence[Dialogue]) -> list[Window]:
        """All windows of the dialogues, in order; each utterance is answered for at least once."""
        return [window for dialogue in dialogues for window in self._of(dialogue)]

    def _of(self, dialogue: Dialogue) -> Iterator[Window]:
        pieces = list(self._pieces(dialogue))
        if self.context == "utterance":
            for piece in pieces:
                yield self._window(dialogue.id, [], [piece])
            return
        before: list[Piece] = []
        mine: list[Piece] = []
        for piece in pieces:
            if mine and 1 + _size([*before, *mine, piece]) > self.limit:
                yield self._window(dialogue.id, before, mine)
                before, mine = self._opening([*before, *mine], piece), []
            mine.append(piece)
        if mine:
            yield self._window(dialogue.id, before, mine)

    def _pieces(self, dialogue: Dialogue) -> Iterator[Piece]:
        if not len(dialogue):
            return
        texts = [utterance.text.strip() for utterance in dialogue.utterances]
        encoded = self.tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)
        longest = self.limit - 2 - (0 if self.context == "utterance" else self.overlap)
        for turn, (speaker, ids) in enumerate(zip(speaker_indices(dialogue), encoded["input_ids"], strict=True)):
            for start in range(0, max(len(ids), 1), longest):
                yield Piece(turn, speaker, tuple(ids[start : start + longest]))

    def _opening(self, earlier: Sequence[Piece], following: Piece) -> list[Piece]:
        """The last of the earlier pieces that the overlap holds and that leave room for the next one."""
        room = min(self.overlap, self.limit - 1 - _size([following]))
        first = len(earlier)
        while first > 0 and _size(earlier[first - 1 :]) <= room:
            first -= 1
        return list(earlier[first:])

    def _window(self, dialogue: str, before: Sequence[Piece], mine: Sequence[Piece]) -> Window:
        start, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        ids, turns, speakers, pieces = [start], [START], [0], [-1]
        places = []
        for number, piece in enumerate([*before, *mine]):
            first = len(ids)
            ids += [*piece.ids, end]
            turns += [piece.turn] * (len(piece.ids) + 1)
            speakers += [piece.speaker] * (len(piece.ids) + 1)
            pieces += [max(number - len(before), -1)] * (len(piece.ids) + 1)
            if number >= len(before):
                places.append((first, len(ids)))
        targets = tuple(Target(dialogue, piece.turn) for piece in mine)
        return Window(tuple(ids), tuple(turns), tuple(speakers), tuple(pieces), tuple(places), targets)


def _size(pieces: Iterable[Piece]) -> int:
    return sum(len(piece.ids) + 1 for piece in pieces)
