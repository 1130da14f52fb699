"""From a language model's free text to a label: the rules, in the order in which they are tried.

Preparation: case is folded, quotes and dashes are made plain, Markdown signs dropped, and quoted passages of more
than three words (the model repeating the utterance) cut out. A label is named by its own words, by the `SYNONYMS`
or, in rules 1 and 2, by the `ADJECTIVES`; a name that stands in a row of names ("joy, anger or fear", or one a line) is
a list, not a choice.

1. *Start*: the answer begins with one label: "Happiness. The speaker…".
2. *Verdict*: one of the words emotion, label, answer, utterance, speaker, person, then in the same sentence "is", "is:",
   "feels", "would be", "must be" or a colon, followed at once by one label: "The most fitting emotion here is: anger".
   The first verdict counts.
3. *Only mention*: one single label is named in the whole text, however often. Names right after a negation ("not
   happiness") do not count, nor does a sentence that holds "if" or "return" (the model repeating its instruction), nor
   do adjectives ("I'm happy to help").

Anything else is unusable: no label, never a default.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from erc_bench.domain import LabelSet

# Words of the same root (and "neutral"), nothing broader: joy may be happiness, but a model can be asked to say so.
SYNONYMS: dict[str, tuple[str, ...]] = {"no emotion": ("no emotions", "neutral")}
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "anger": ("angry",),
    "disgust": ("disgusted",),
    "fear": ("fearful",),
    "happiness": ("happy",),
    "sadness": ("sad",),
    "surprise": ("surprised",),
}
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "`": "'", "–": "-", "—": "-", "*": "", "_": " "})
LONG_QUOTE = re.compile(r'"(?:[^\s"]+\s+){3,}[^"]*"')
RESTATED = re.compile(r"[^.!?\n]*\b(?:if|return)\b[^.!?\n]*[.!?\n]?")
RELEASED_CUE = "is:"
RELEASED_FALLBACK = "happiness"


def _any_of(words: Iterable[str]) -> str:
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return rf"(?<!\w)(?:{alternatives})(?!\w)"


class _Rules:
    """The rules compiled for one label set."""

    def __init__(self, labels: LabelSet) -> None:
        nouns = {
            word: name for name in labels.names for word in (name.casefold().replace("_", " "), *SYNONYMS.get(name, ()))
        }
        adjectives = {word: name for name in labels.names for word in ADJECTIVES.get(name, ())}
        self.label_of = nouns | adjectives
        name = _any_of(self.label_of)
        between = r"""["')\]]*(?:\s*(?:[,;/]|\band\b|\bor\b)\s*(?:and\s|or\s)?|\s*\n[\s\-.)\d]*)["'(\[]*"""
        one = rf"""["'(\[]*(?P<label>{name})(?!{between}{name})"""
        self.start = re.compile(rf"[\s\-:.>#]*{one}")
        self.verdict = re.compile(
            r"\b(?:emotion|label|answer|utterance|speaker|person)\b[^.!?\n]{0,200}?(?:\bis|\bfeels|\bbe|:)\s*:?\s*[-\s]*"
            + one
        )
        self.noun = re.compile(_any_of(nouns))
        self.negation = re.compile(
            r"""(?:\bnot|\bnever|n't|\bwithout|\brather than|\binstead of)\s+(?:any\s|an?\s|the\s|of\s)?\s*["']?$"""
        )

    def parse(self, answer: str) -> str | None:
        text = unicodedata.normalize("NFKC", answer).translate(PLAIN).casefold()
        text = LONG_QUOTE.sub(" ", text)
        if match := self.start.match(text):
            return self.label_of[match["label"]]
        text = RESTATED.sub(" ", text)
        if match := self.verdict.search(text):
            return self.label_of[match["label"]]
        return self._only_mention(text)

    def _only_mention(self, text: str) -> str | None:
        mentions = [match for match in self.noun.finditer(text) if not self.negation.search(text, 0, match.start())]
        named = {self.label_of[match[0]] for match in mentions}
        return named.pop() if len(named) == 1 else None


@lru_cache
def _rules(labels: LabelSet) -> _Rules:
    return _Rules(labels)


def parse_answer(answer: str, labels: LabelSet) -> str | None:
    """The label that a free-text answer gives by the rules above; None when it gives none or several."""
    return _rules(labels).parse(answer)


def released_rule(text: str, labels: LabelSet) -> str:
    """The rule of the paper's released code: the first label after the first "is:", case-sensitive, else happiness.

    `text` is the prompt with the answer behind it, since the pipeline of that code returns both. Signs of punctuation
    do not count. A text without "is:" is happiness whatever it says, as is one that names no label after it. Written from
    a description of that code, to reproduce and explain its rows; it never leaves an answer unusable.
    """
    said = " ".join(re.findall(r"\w+", text.partition(RELEASED_CUE)[2].replace("'", "")))
    named = [(said.find(name), name) for name in labels.names if name in said]
    return min(named)[1] if named else RELEASED_FALLBACK
