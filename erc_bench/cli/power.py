"""`erc-bench power`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from erc_bench.cli import options
from erc_bench.cli.output import say

if TYPE_CHECKING:
    from erc_bench.inspection.power import Need, Plan

EPILOG = """\b
Examples:
  erc-bench power --effect 1.5
  erc-bench power sentemocontext minilm-classifier --effect 1.5
  erc-bench power sentemocontext tfidf-logreg --effect 3 --metric macro_f1 --json
\b
Two rows stand for two such systems: the answer comes from how much their difference varies between
dialogues, and each of them between seeds (docs/protocols-and-metrics.md has the formula)."""


@click.command(cls=options.Command, epilog=EPILOG)
@click.argument("a", required=False)
@click.argument("b", required=False)
@click.option("--effect", type=float, required=True, help="The difference to show, in the unit of the metric.")
@click.option(
    "--metric", metavar="NAME", help="micro_f1, macro_f1, mcc, …  [default: the metric that ranks the dataset]"
)
@click.option(
    "--protocol", default="utterance", show_default=True, metavar="NAME", help="utterance, last-turn, emotional, …"
)
@options.subset
@options.dataset_of_rows
@options.data_dir
@options.results_dir
@options.as_json
def power(
    a: str | None,
    b: str | None,
    effect: float,
    metric: str | None,
    protocol: str,
    subset: str,
    dataset_name: str | None,
    data_dir: Path | None,
    results_dir: Path,
    as_json: bool,
) -> None:
    """Say how many dialogues and seeds it takes to show a difference of two rows.

    Without B, row A against every other that is no floor; without both, the best row.
    """
    from erc_bench.api import results

    plan = results.power(
        effect,
        a,
        b,
        metric=metric,
        protocol=protocol,
        subset=subset,
        dataset=dataset_name,
        results_dir=results_dir,
        data_dir=data_dir,
    )
    say(json.dumps(_content(plan), indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(plan)))


def _content(plan: Plan) -> dict[str, Any]:
    from erc_bench.scoring.significance import ALPHA, POWER

    return {
        "dataset": plan.dataset,
        "protocol": plan.protocol,
        "subset": plan.subset,
        "metric": plan.metric.name,
        "effect": plan.effect,
        "level": ALPHA,
        "power": POWER,
        "pairs": [_pair(need) for need in plan.needs],
    }


def _pair(need: Need) -> dict[str, Any]:
    found = need.variances
    return {
        "a": need.a,
        "b": need.b,
        "difference": need.difference,
        "dialogues": need.dialogues,
        "seeds": list(need.seeds),
        "variances": {
            "shared_by_seeds_one_dialogue": found.shared,
            "own_of_seeds_one_dialogue": list(found.own),
            "between_seeds": None if found.between is None else list(found.between),
        },
        "detectable": need.detectable,
        "power": need.power,
        "dialogues_needed": need.dialogues_needed,
        "seeds_needed": need.seeds_needed,
        "dialogues_needed_by_seeds": {str(count): dialogues for count, dialogues in need.by_seeds.items()},
    }


def _lines(plan: Plan) -> Iterator[str]:
    from erc_bench.scoring.significance import ALPHA, POWER

    yield (
        f"{plan.dataset}, protocol {plan.protocol}, subset {plan.subset}: to show a difference of "
        f"{plan.metric.text(plan.effect)} in {plan.metric.words} at {ALPHA:.0%} in {POWER:.0%} of cases"
    )
    for need in plan.needs:
        yield ""
        yield f"{need.a} against {need.b}, of {_seeds(need.seeds)} on {need.dialogues:,} dialogues"
        yield (
            f"  now: found in {need.power:.0%} of cases; the smallest difference that is found in {POWER:.0%} is "
            f"{plan.metric.text(need.detectable)} (measured: {plan.metric.text(need.difference)})"
        )
        yield f"  dialogues needed with these seeds: {_count(need.dialogues_needed)}"
        if need.by_seeds:
            others = ", ".join(f"{_count(dialogues)} with {count}" for count, dialogues in need.by_seeds.items())
            yield f"  dialogues needed with other numbers of seeds: {others}"
            yield f"  seeds needed on these dialogues: {_count(need.seeds_needed)}"
        else:
            yield "  one seed a row: the claim is about these two trained systems; what other seeds do is not known"


def _seeds(counts: tuple[int, int]) -> str:
    a, b = counts
    return f"{a} and {b} seeds" if a != b else "one seed each" if a == 1 else f"{a} seeds each"


def _count(number: int | None) -> str:
    return "no number suffices" if number is None else f"{number:,}"
