"""What differs: a record from its predictions, a board file from what its runs give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """Something recorded that does not follow from the predictions and the gold labels."""

    where: Path
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def unlike_all(path: Path, candidates: Iterable[bytes]) -> list[Difference]:
    """What a file differs in from the nearest of the contents that it may have; nothing if it equals one."""
    lines = path.read_bytes().splitlines(keepends=True)
    nearest: list[bytes] = []
    for candidate in (content.splitlines(keepends=True) for content in candidates):
        if candidate == lines:
            return []
        nearest = max(nearest, candidate, key=lambda other: _shared(lines, other))
    return [Difference(path, _first_difference(lines, nearest))]


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items two sequences share from their start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((position for position, (a, b) in pairs if a != b), min(len(one), len(other)))


def _first_difference(recorded: Sequence[bytes], recomputed: Sequence[bytes]) -> str:
    number = _shared(recorded, recomputed)
    old, new = (
        lines[number].decode("utf-8", "replace") if number < len(lines) else "" for lines in (recorded, recomputed)
    )
    start = max(0, _shared(old, new) - SHOWN // 4)
    return (
        f"differs from the board of these runs, first on line {number + 1}: recorded {old[start : start + SHOWN]!r}, "
        f"recomputed {new[start : start + SHOWN]!r}"
    )
