"""Dialogues on standard output: colours and wrapped texts on a terminal, one plain line an utterance elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from erc_bench.board.formats.terminal import plain
from erc_bench.contract.system import Prediction
from erc_bench.inspection.show import Line, Showing, ShownDialogue

PLAIN_WIDTH = 10_000
NOT_LABELLED = "–"
UNUSABLE = "(unusable)"
NEUTRAL_STYLE = "dim"
LABEL_STYLES = ("red", "green", "magenta", "yellow", "blue", "cyan")
"""Styles of the emotions; more of them start again."""
MARKS = {"helped": ("helped", "bold green"), "hurt": ("hurt", "bold red"), "both wrong": ("both wrong", "red")}


def print_showing(showing: Showing, shown: Sequence[ShownDialogue], file: TextIO | None = None) -> None:
    """Print a summary, then the dialogues in `shown`."""
    file = file or sys.stdout
    console = Console(file=file, highlight=False)
    if not console.is_terminal:
        console = Console(file=file, highlight=False, width=PLAIN_WIDTH, color_system=None)
    elif os.environ.get("NO_COLOR"):
        console = Console(file=file, highlight=False, color_system=None)
    for line in summary(showing, len(shown)):
        _print(console, Text(plain(line)))
    for dialogue in shown:
        console.print()
        _print(console, Text(plain(_heading(dialogue, showing)), style="bold"))
        _print_lines(console, dialogue, showing)


def summary(showing: Showing, shown: int) -> list[str]:
    """What was compared, how much of it is right, and how much of it is shown."""
    record = showing.run.record
    lines = [
        f"{showing.title} on {record.dataset}, seed {record.seed}: {showing.right:,} of {showing.labelled:,} labelled "
        "utterances right"
    ]
    if showing.other is not None and showing.outcomes is not None and showing.outcomes_on_emotions is not None:
        lines.append(f"compared with {showing.other_title}, seed {showing.other.record.seed}")
        helped, hurt = ("context helped", "context hurt") if showing.by_context else ("helped", "hurt")
        meanings = {
            "helped": f"{helped} (only {showing.title} is right)",
            "hurt": f"{hurt} (only {showing.other_title} is right)",
            "both wrong": "both wrong",
            "both right": "both right",
        }
        lines += [
            f"- {meaning}: {showing.outcomes.get(name, 0):,} utterances, "
            f"{showing.outcomes_on_emotions.get(name, 0):,} of them with an emotion as gold label"
            for name, meaning in meanings.items()
        ]
    found = len(showing.dialogues)
    lines.append(
        f"{showing.selected:,} utterances in {found:,} dialogues selected"
        + (f"; showing the first {shown:,} (--limit 0 shows all)" if shown < found else "")
    )
    return lines


def _heading(dialogue: ShownDialogue, showing: Showing) -> str:
    labelled = [line for line in dialogue.lines if line.counts and line.prediction is not None]
    counts = [f"{len(dialogue.lines)} utterances", f"{sum(not line.right for line in labelled)} wrong"]
    if showing.other is not None:
        counts += [f"{sum(line.outcome == name for line in dialogue.lines)} {name}" for name in ("helped", "hurt")]
    return f"{dialogue.id} ({', '.join(counts)})"


def _print_lines(console: Console, dialogue: ShownDialogue, showing: Showing) -> None:
    columns = ["", "turn", "", "gold", showing.title if showing.other else "predicted"]
    columns += [showing.other_title, "differ"] if showing.other else [""]
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    widest = 24 if console.is_terminal else None
    for name in columns:
        table.add_column(Text(plain(name)), no_wrap=True, max_width=widest, overflow="ellipsis")
    table.add_column("text", overflow="fold")
    for line in dialogue.lines:
        table.add_row(*_cells(line, showing))
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as capture:
        console.print(table)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _cells(line: Line, showing: Showing) -> list[Text]:
    cells = [
        Text(">" if line.selected and showing.filtered else "", style="bold"),
        Text(str(line.turn)),
        Text(plain(line.speaker)),
        _label(line.gold or NOT_LABELLED, showing),
        _answer(line.prediction, showing),
    ]
    if showing.other is not None:
        word, style = MARKS.get(line.outcome or "", ("", ""))
        cells += [_answer(line.other, showing), Text(word, style=style)]
    elif line.prediction is None or not line.counts:
        cells.append(Text(""))
    else:
        cells.append(Text("✓", style="green") if line.right else Text("✗", style="bold red"))
    return [*cells, Text(plain(line.text), style="" if line.selected or not showing.filtered else "dim")]


def _answer(prediction: Prediction | None, showing: Showing) -> Text:
    if prediction is None:
        return Text(NOT_LABELLED, style="dim")
    if prediction.label is None:
        return Text(UNUSABLE, style="bold red")
    return _label(prediction.label, showing)


def _label(name: str, showing: Showing) -> Text:
    emotions = showing.labels.emotions
    style = LABEL_STYLES[emotions.index(name) % len(LABEL_STYLES)] if name in emotions else NEUTRAL_STYLE
    return Text(plain(name), style=style)


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True)
