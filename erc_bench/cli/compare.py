"""`erc-bench compare`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erc_bench.cli import options
from erc_bench.cli.output import say

if TYPE_CHECKING:
    from erc_bench.inspection.compare import Pair, Part
    from erc_bench.scoring.limits import Interval

EPILOG = """\b
Examples:
  erc-bench compare sentemocontext tfidf-logreg
  erc-bench compare "minilm-classifier (fine_tune=true)" minilm-classifier --metric macro_f1 --subset novel
  erc-bench compare sentemocontext minilm-classifier --by shift
  erc-bench compare results/sample/lookup/3067b7fa444d/seed-0 tfidf-logreg --dataset sample
\b
A and B are rows of the board, as written there or by the beginning of their title, or folders
of runs. Whole dialogues are resampled, the same for both rows. The p-value of this one
comparison is not corrected for others you may make; the ranks of the board are."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("a")
@click.argument("b")
@click.option(
    "--metric", metavar="NAME", help="micro_f1, macro_f1, mcc, …  [default: the metric that ranks the dataset]"
)
@click.option(
    "--protocol",
    metavar="NAME",
    help="A ranked protocol: utterance, last-turn, emotional, …  [default: the first that covers both rows]",
)
@options.subset
@click.option(
    "--by",
    metavar="NAME",
    help="Also compare by phenomenon: shift (of emotion), turn, length, label, or speaker where one may speak twice.",
)
@options.dataset_of_rows
@options.data_dir
@options.results_dir
@options.as_json
def compare(
    a: str,
    b: str,
    metric: str | None,
    protocol: str | None,
    subset: str,
    by: str | None,
    dataset_name: str | None,
    data_dir: Path | None,
    results_dir: Path,
    as_json: bool,
) -> None:
    """Test whether row A differs from row B: paired, by dialogue."""
    from erc_bench.api import results

    pair = results.compare(
        a,
        b,
        metric=metric,
        protocol=protocol,
        subset=subset,
        by=by,
        dataset=dataset_name,
        results_dir=results_dir,
        data_dir=data_dir,
    )
    if as_json:
        say(json.dumps(_content(pair), indent=2, ensure_ascii=False))
    else:
        say("\n".join(_lines(pair)))


def _content(pair: Pair) -> dict[str, Any]:
    found = pair.comparison
    return {
        "dataset": pair.dataset,
        "protocol": pair.protocol,
        "subset": pair.subset,
        "dialogues": pair.estimates[0].dialogues,
        "metric": found.metric.name,
        **{
            name: {"title": side.title, "seeds": estimate.seeds, "score": estimate.score[found.metric.name]}
            for name, side, estimate in (("a", pair.a, pair.estimates[0]), ("b", pair.b, pair.estimates[1]))
        },
        "difference": found.difference,
        "low": found.interval.low,
        "high": found.interval.high,
        "p_value": found.p_value,
        "detectable": found.detectable,
        "different": pair.different,
        **({"by": pair.by, "groups": [_part_content(part) for part in pair.parts]} if pair.by else {}),
    }


def _part_content(part: Part) -> dict[str, Any]:
    found = part.comparison
    return {
        "group": part.group,
        "support": part.support,
        "dialogues": part.dialogues,
        "metric": found.metric.name,
        **{
            name: {"score": estimate.score[found.metric.name], **_ends(estimate.interval(found.metric.name))}
            for name, estimate in zip(("a", "b"), part.estimates, strict=True)
        },
        "difference": found.difference,
        **_ends(found.interval),
        "p_value": found.p_value,
        "p_corrected": part.p_corrected,
    }


def _ends(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high}


def _lines(pair: Pair) -> list[str]:
    from erc_bench.board.words import p_text, signed
    from erc_bench.scoring.limits import LEVEL
    from erc_bench.scoring.resampling import RESAMPLES
    from erc_bench.scoring.significance import ALPHA, POWER

    found, metric = pair.comparison, pair.comparison.metric

    def described(title: str, score: float, seeds: int, low: float, high: float) -> str:
        runs = f", mean of {seeds} seeds" if seeds > 1 else ""
        return f"{title}: {metric.heading} {metric.text(score)} [{metric.text(low)}, {metric.text(high)}]{runs}"

    rows = [
        described(side.title, estimate.score[metric.name], estimate.seeds, *estimate.interval(metric.name))
        for side, estimate in ((pair.a, pair.estimates[0]), (pair.b, pair.estimates[1]))
    ]
    if pair.different:
        better, worse = (pair.a, pair.b) if found.first_is_better else (pair.b, pair.a)
        verdict = f"{better.title} is better than {worse.title} (p at most {ALPHA:g})."
    else:
        verdict = (
            f"The two cannot be told apart on these {pair.estimates[0].dialogues:,} dialogues (p above {ALPHA:g}): that is "
            "no proof that they are equal."
        )
    return [
        f"{pair.dataset}, protocol {pair.protocol}, subset {pair.subset}: {pair.estimates[0].dialogues:,} dialogues, "
        f"{RESAMPLES:,} paired resamples of them",
        f"A  {rows[0]}",
        f"B  {rows[1]}",
        f"A - B: {signed(metric, found.difference)}, {LEVEL:.0%} interval [{signed(metric, found.interval.low)}, "
        f"{signed(metric, found.interval.high)}], p {p_text(found.p_value, equals='= ')}",
        verdict,
        f"The smallest true difference between two such rows that this test set would show in {POWER:.0%} of cases: "
        f"{metric.text(found.detectable)}.",
        *(_part_lines(pair) if pair.by else ()),
    ]


def _part_lines(pair: Pair) -> Iterator[str]:
    from erc_bench.board.words import p_text, signed
    from erc_bench.protocols.phenomena import PHENOMENA

    yield ""
    yield f"By {pair.by}. {PHENOMENA[pair.by or ''].meaning} p is corrected for the {len(pair.parts)} groups (Holm)."
    for part in pair.parts:
        found, metric = part.comparison, part.comparison.metric
        a, b = (metric.text(estimate.score[metric.name]) for estimate in part.estimates)
        yield (
            f"{part.group} ({part.support:,} utterances in {part.dialogues:,} dialogues): A {a}, B {b}, "
            f"A - B {signed(metric, found.difference)} [{signed(metric, found.interval.low)}, "
            f"{signed(metric, found.interval.high)}], p {p_text(part.p_corrected, equals='= ')}"
        )
