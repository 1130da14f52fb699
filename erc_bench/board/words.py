"""Names and numbers as the page and the pictures write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from erc_bench.protocols.registry import protocol_of, protocols
from erc_bench.protocols.subsets import SUBSETS
from erc_bench.scoring.metric import MISSING as MISSING
from erc_bench.scoring.metric import Metric

_URL = re.compile(r"https?://[^\s<>\"'\\^`{|}]+", re.IGNORECASE)


def protocol_meaning(name: str) -> str:
    """What the protocol of a section scores; nothing for a name that no installed protocol has."""
    found = protocols().get(protocol_of(name))
    return found.meaning if found else ""


def subset_meaning(name: str) -> str:
    """Which dialogues a subset has; nothing for a subset that a protocol makes for itself."""
    return SUBSETS[name].meaning if name in SUBSETS else ""


def section_id(dataset: str, protocol: str, subset: str) -> str:
    """An id of a section for anchors and file names: lower-case letters, digits and hyphens."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") or "x" for part in (dataset, protocol, subset))


def count_text(value: float | None) -> str:
    """A large number in three significant digits: 22.7 M, 158 M, 1.3 k."""
    if value is None or not math.isfinite(value):
        return MISSING
    for size, suffix in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size * 0.9995:
            return f"{_three_digits(value / size)}{suffix}"
    return _three_digits(value)


def _three_digits(value: float) -> str:
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2g}"


def duration_text(seconds: float | None) -> str:
    """Seconds, minutes or hours in about two digits."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def p_text(p_value: float, *, equals: str = "") -> str:
    """A *p*-value in four decimals, after a sign where it is an equation: `0.0190`, `= 0.0190`, `< 0.0001`."""
    return "< 0.0001" if p_value < 0.0001 else f"{equals}{p_value:.4f}"


def p_in_files(p_value: float) -> float:
    """A *p*-value as CSV and JSON hold it: eight significant digits."""
    return float(f"{p_value:.8g}")


def signed(metric: Metric, value: float) -> str:
    """A difference as its metric writes it, always with its sign."""
    text = metric.text(value)
    return text if value < 0 else f"+{text}"


class Piece(NamedTuple):
    """A stretch of text, and where it links to (http or https), if anywhere."""

    text: str
    url: str | None


def linked(text: str) -> Iterator[Piece]:
    """Cut a text into plain stretches and the web addresses in it; nothing but http and https becomes a link."""
    end = 0
    for match in _URL.finditer(text):
        url = match.group().rstrip(".,;:!?)]")
        if not _is_web_address(url):
            continue
        if match.start() > end:
            yield Piece(text[end : match.start()], None)
        yield Piece(url, url)
        end = match.start() + len(url)
    if end < len(text):
        yield Piece(text[end:], None)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
