"""How long runs take and how fast systems answer, as docs/scaling.md reasons with, follows from the committed records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest

from erc_bench.records.record import RunRecord, find_runs

COMMITTED = Path(__file__).resolve().parents[2] / "leaderboard"
MustSay = Callable[..., None]
SECONDS_AN_HOUR, UTTERANCES, CORES = 3600, 100_000_000, 128
QUICK = ("constant", "prior", "lookup", "raw-encoder", "smollm2-135m")  # nothing is trained


@pytest.fixture(scope="module")
def configurations() -> dict[str, list[RunRecord]]:
    """The records of each trained configuration on DailyDialog, on one core and without a GPU, by title."""
    found = defaultdict(list)
    for run in find_runs(COMMITTED):
        record = run.record
        if (
            record.dataset == "dailydialog"
            and record.system not in QUICK
            and not record.hardware.get("accelerators")
            and record.settings.get("threads", 1) == 1
            and (record.withheld, record.trained_on, record.train_subset) == (None, None, "all")
        ):
            found[record.title].append(record)
    return found


def test_what_a_sweep_takes(configurations: dict[str, list[RunRecord]], must_say: MustSay) -> None:
    times = {
        title: mean(record.timings["train"] + record.timings["predict"] for record in records)
        for title, records in configurations.items()
    }
    run, longest = round(mean(times.values())), max(times.values())
    hours = 4_000 * 1.33 / 4 * run / SECONDS_AN_HOUR
    must_say(
        "docs/scaling.md",
        f"The {len(times)} configurations trained on one core on DailyDialog take {run} s a run on average",
        f"| runs: 100 × 10 × 1.33 × {run} s | {hours:.0f} | {hours / 8:.0f} h | {hours / CORES * 60:.0f} min |",
        f"At the end a sweep waits for its longest run ({longest / 60:.0f} minutes here).",
    )


@pytest.mark.parametrize(
    "title",
    [
        "tfidf-logreg",
        "minilm-classifier",
        "sentemocontext",
        "minilm-classifier (fine_tune=true)",
        "sentemocontext-mpnet",
    ],
)
def test_what_labelling_takes(title: str, configurations: dict[str, list[RunRecord]], must_say: MustSay) -> None:
    rate = mean(float(record.utterances_per_second or 0) for record in configurations[title])
    rate = float(f"{rate:.2g}")
    hours = UTTERANCES / rate / SECONDS_AN_HOUR
    wall = hours / CORES
    words = f"{wall:.0f} h" if wall >= 1 else f"{wall * 60:.0f} min"
    must_say("docs/scaling.md", f"| `{title}` | {rate:,.0f} | {float(f'{hours:.3g}'):,.0f} | {words} |")
