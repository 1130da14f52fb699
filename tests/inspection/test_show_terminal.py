from __future__ import annotations

from pathlib import Path

from erc_bench.contract.domain import Dataset
from erc_bench.contract.registry import system_class
from erc_bench.inspection.show import build_showing
from erc_bench.inspection.show_terminal import summary
from erc_bench.progress import SilentProgress
from erc_bench.running.runner import RunRequest, execute


def test_markup_and_control_characters_in_texts_are_shown_as_text() -> None:
    from io import StringIO

    from erc_bench.contract.system import Prediction
    from erc_bench.data.dailydialog import LABELS
    from erc_bench.inspection.show import Line, Showing, ShownDialogue
    from erc_bench.inspection.show_terminal import print_showing
    from erc_bench.records.record import Run, RunRecord

    record = RunRecord(
        status="complete", system="s", config_hash="0", seed=0, targets="all", dataset="sample", dataset_fingerprint="0"
    )
    line = Line(0, "A", "[bold red]stop[/] \x1b[2J :smile:", "anger", Prediction("test-0", 0, None))
    showing = Showing(Run(Path(), record), "s", LABELS, (ShownDialogue("test-0", (line,)),), 1, 0, 1)
    file = StringIO()
    print_showing(showing, showing.dialogues, file)
    assert "[bold red]stop[/] [2J :smile:" in file.getvalue()
    assert "(unusable)" in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_the_summary_counts_what_is_right_and_what_is_left_out(sample: Dataset, tmp_path: Path) -> None:
    prior = system_class("prior")
    outcome = execute(RunRequest(prior, prior.Config(), sample, tmp_path), SilentProgress())
    showing = build_showing(sample, (outcome.run, "prior"), errors=True)
    first, last = summary(showing, shown=2)
    assert first == f"prior on sample, seed 0: {showing.right} of {showing.labelled} labelled utterances right"
    assert last.startswith(
        f"{showing.selected} utterances in {len(showing.dialogues)} dialogues selected; showing the first 2"
    )
    assert "(--limit" not in summary(showing, shown=len(showing.dialogues))[-1]
