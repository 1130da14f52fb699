"""From a language model's free text to a label: the rules, in the order in which they are tried.

Preparation: case is folded, quotes and dashes are made plain, Markdown signs dropped, and quoted passages of more
than three words (the model repeating the utterance) cut out. A label is named by its own words, by the `SYNONYMS`
or, in rules 1 and 2, by the `ADJECTIVES`. A name that stands in a row of names is a list and not a choice: "joy, anger
or fear", one a line, each with a gloss ("anger (1), fear (1)", "Anger: rage"), or cut off at the end ("anger,").

1. *Start*: the answer begins with one label: "Happiness. The speaker…". An adjective has to end its line or sentence
   ("Happy!" but not "Happy to help!"). An answer that is a list of items which begin with several labels is no choice.
2. *Verdict*: one of the words emotion, label, answer, mood, sentiment, utterance, speaker, person, then in the same
   sentence "is", "is:", "feels", "would be", "must be" or a colon, followed at once by one label: "The most fitting emotion
   here is: anger". Not "cannot be", "should not be", nor what stands in a clause that begins with "if" or "whether". The
   first verdict counts.
3. *Only mention*: one single label is named in the whole text, however often. Names right after a negation ("not
   happiness or fear") do not count, nor does a sentence that holds "if", "whether" or "return" (the model repeating its
   instruction), nor do adjectives ("I'm happy to help") unless they stand in a row with another label. A text that ends
   in a row cut off has none.

Anything else is unusable: no label, never a default.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from erc_bench.contract.domain import LabelSet

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
BULLET = re.compile(r"^([ \t]*)\*[ \t]+", re.MULTILINE)
LONG_QUOTE = re.compile(r'"(?:[^\s"]+\s+){3,}[^"]*"')
RESTATED = re.compile(r"[^.!?\n]*\b(?:if|whether|return)\b[^.!?\n]*[.!?\n]?")
CONDITION = re.compile(r"\b(?:if|whether)\b[^,.!?\n]*")
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
        opening, closing = r"""["'(\[]*""", r"""["')\]]*"""
        gloss = r"(?:\s*\([^()\n]*\)|\s*:[ \t]*[\w'-]+(?:[ \t]+[\w'-]+){0,2})?"
        between = rf"{closing}{gloss}(?:\s*(?:[,;/]|\band\b|\bor\b)\s*(?:and\s|or\s)?|\s*\n[\s\-.)\d]*){opening}"
        cut_off = rf"{closing}\s*(?:,|\band|\bor)\s*$"
        one = rf"{opening}(?P<label>{name})(?!{between}{name})(?!{cut_off})"
        self.start = re.compile(rf"[\s\-:.>#]*{one}(?P<ends>{closing}[ \t]*(?:[.!?\n]|$))?")
        self.verdict = re.compile(
            r"\b(?:emotion|label|answer|mood|sentiment|utterance|speaker|person)\b[^.!?\n]{0,200}?"
            r"(?:\bis|\bfeels|(?<!not )(?<!n't )(?<!never )\bbe|(?<!not)(?<!not )(?<!n't)(?<!n't ):)\s*:?\s*[-\s]*"
            + one
        )
        self.adjectives = adjectives.keys()
        self.name = re.compile(name)
        self.noun = re.compile(_any_of(nouns))
        self.row = re.compile(rf"{name}(?:{between}{name})*")
        self.item = re.compile(rf"^[ \t]*(?:[-+•]|\d+[.)])[ \t]*{opening}(?P<label>{name})", re.MULTILINE)
        self.cut_off = re.compile(rf"{name}{cut_off}")
        self.negation = re.compile(
            r"""(?:\bno|\bnot|\bcannot|\bnever|n't|\bwithout|\brather than|\binstead of)(?:\s+be)?\s*:?\s+"""
            r"""(?:any\s|an?\s|the\s|of\s)?\s*["']?$"""
        )

    def parse(self, answer: str) -> str | None:
        text = BULLET.sub(r"\1- ", unicodedata.normalize("NFKC", answer)).translate(PLAIN).casefold()
        text = LONG_QUOTE.sub(" ", text)
        listed = {self.label_of[match["label"]] for match in self.item.finditer(text)}
        is_list = len(listed) > 1 and self.item.match(text.lstrip())
        match = self.start.match(text)
        if match and not is_list and (match["ends"] is not None or match["label"] not in self.adjectives):
            return self.label_of[match["label"]]
        if match := self.verdict.search(CONDITION.sub(" ", text)):
            return self.label_of[match["label"]]
        return None if len(listed) > 1 else self._only_mention(RESTATED.sub(" ", text))

    def _only_mention(self, text: str) -> str | None:
        if self.cut_off.search(text):
            return None
        named: set[str] = set()
        for row in self.row.finditer(text):
            if self.negation.search(text, 0, row.start()):
                continue
            labels = {self.label_of[word] for word in self.name.findall(row[0])}
            named |= labels if len(labels) > 1 else {self.label_of[word] for word in self.noun.findall(row[0])}
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
