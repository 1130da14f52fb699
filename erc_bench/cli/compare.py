"""`erc-bench compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erc_bench.cli import options

if TYPE_CHECKING:
    from erc_bench.inspection.compare import Pair

EPILOG = """\b
Examples:
  erc-bench compare sentemocontext tfidf-logreg
  erc-bench compare "minilm-classifier (fine_tune=true)" minilm-classifier --metric macro_f1 --subset unseen
  erc-bench compare results/sample/lookup/3067b7fa444d/seed-0 tfidf-logreg --dataset sample
\b
A and B are rows of the board, written as there, or folders of runs. Whole dialogues are
resampled, the same for both rows. The p-value of this one comparison is not corrected for
others you may make; the ranks of the board are."""


@click.command(epilog=EPILOG)
@click.argument("a")
@click.argument("b")
@click.option("--metric", default="micro_f1", show_default=True, metavar="NAME", help="micro_f1, macro_f1, mcc, …")
@click.option(
    "--protocol",
    metavar="NAME",
    help="utterance or last-turn.  [default: utterance, if both rows labelled every utterance]",
)
@click.option("--subset", default="all", show_default=True, metavar="NAME", help="all or unseen.")
@click.option("--dataset", "dataset_name", metavar="NAME", help="Needed where both rows exist on several datasets.")
@options.data_dir
@options.results_dir
@options.as_json
def compare(
    a: str,
    b: str,
    metric: str,
    protocol: str | None,
    subset: str,
    dataset_name: str | None,
    data_dir: Path | None,
    results_dir: Path,
    as_json: bool,
) -> None:
    """Test whether row A differs from row B: paired, by dialogue."""
    from erc_bench.data import load_dataset
    from erc_bench.inspection.compare import compare_sides, default_protocol, find_sides

    first, second = find_sides(results_dir, (a, b), dataset_name)
    dataset = load_dataset(first.group.record.dataset, data_dir=data_dir)
    chosen = protocol or default_protocol(first, second)
    pair = compare_sides(first, second, dataset, protocol=chosen, subset=subset, metric=metric)
    if as_json:
        click.echo(json.dumps(_content(pair, dataset.name), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(pair, dataset.name)))


def _content(pair: Pair, dataset: str) -> dict[str, Any]:
    found = pair.comparison
    return {
        "dataset": dataset,
        "protocol": pair.protocol,
        "subset": pair.subset,
        "dialogues": pair.estimates[0].dialogues,
        "metric": found.metric,
        **{
            name: {"title": side.title, "seeds": estimate.seeds, "score": estimate.score[found.metric]}
            for name, side, estimate in (("a", pair.a, pair.estimates[0]), ("b", pair.b, pair.estimates[1]))
        },
        "difference": found.difference,
        "low": found.interval.low,
        "high": found.interval.high,
        "p_value": found.p_value,
        "detectable": found.detectable,
        "different": _differ(pair),
    }


def _differ(pair: Pair) -> bool:
    from erc_bench.scoring.significance import ALPHA

    return pair.comparison.p_value <= ALPHA


def _lines(pair: Pair, dataset: str) -> list[str]:
    from erc_bench.board.words import metric_name, score_text
    from erc_bench.scoring.bootstrap import LEVEL, RESAMPLES
    from erc_bench.scoring.significance import ALPHA, POWER

    found, metric = pair.comparison, pair.comparison.metric
    name = metric_name(metric)

    def signed(value: float) -> str:
        text = score_text(metric, value)
        return text if value < 0 else f"+{text}"

    def described(title: str, score: float, seeds: int, low: float, high: float) -> str:
        runs = f", mean of {seeds} seeds" if seeds > 1 else ""
        return (
            f"{title}: {name} {score_text(metric, score)} [{score_text(metric, low)}, {score_text(metric, high)}]{runs}"
        )

    rows = [
        described(side.title, estimate.score[metric], estimate.seeds, *estimate.interval(metric))
        for side, estimate in ((pair.a, pair.estimates[0]), (pair.b, pair.estimates[1]))
    ]
    if _differ(pair):
        better, worse = (pair.a, pair.b) if found.difference > 0 else (pair.b, pair.a)
        how = "higher" if metric == "unusable_rate" else "better"
        verdict = f"{better.title} is {how} than {worse.title} (p at most {ALPHA:g})."
    else:
        verdict = (
            f"The two cannot be told apart on these {pair.estimates[0].dialogues:,} dialogues (p above {ALPHA:g}): that is "
            "no proof that they are equal."
        )
    return [
        f"{dataset}, protocol {pair.protocol}, subset {pair.subset}: {pair.estimates[0].dialogues:,} dialogues, "
        f"{RESAMPLES:,} paired resamples of them",
        f"A  {rows[0]}",
        f"B  {rows[1]}",
        f"A - B: {signed(found.difference)}, {LEVEL:.0%} interval [{signed(found.interval.low)}, "
        f"{signed(found.interval.high)}], p = {_p_text(found.p_value)}",
        verdict,
        f"The smallest true difference between two such rows that this test set would show in {POWER:.0%} of cases: "
        f"{score_text(metric, found.detectable)}.",
    ]


def _p_text(p_value: float) -> str:
    return "under 0.0001" if p_value < 0.0001 else f"{p_value:.4f}"
