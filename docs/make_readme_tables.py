"""Write the tables of README.md and docs/fine-tuning.md anew from the committed board, and from the trials beside this file.

    erc-bench leaderboard --results-dir leaderboard --format md,csv,html,contrasts
    python docs/make_readme_tables.py

Each table stands between two comments that open and close it: results by corpus (`<!-- results -->`, `<!-- meld -->`,
`<!-- emorynlp -->`) and `<!-- contrasts -->` about the paper in the README; `<!-- fine-tuned -->`, `<!-- what it gives -->`
and `<!-- trials -->` on the page about fine-tuning.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BOARD = REPOSITORY / "leaderboard"
SCORES = {"micro_f1": 2, "macro_f1": 2, "mcc": 3}
BESIDE = ("not-verbatim", "novel")
OTHER_CORPORA = ("meld", "emorynlp")
OTHER_SCORES = {"weighted_f1_all": 2, "accuracy": 2, "macro_f1_all": 2, "micro_f1": 2, "mcc": 3}
WITH_INTERVAL = ("weighted_f1_all", "micro_f1")
FAMILY = "the paper"
FINE_TUNED = "dialogue-encoder"
TRIALS = Path(__file__).with_name("fine-tuning-trials.csv")
TRIED = ("batch_tokens", "epochs", "learning_rate", "weight_power")


def main() -> None:
    """Replace the tables in all pages."""
    for page, tables in pages().items():
        path = REPOSITORY / page
        path.write_text(with_tables(path.read_text(encoding="utf-8"), tables, page), encoding="utf-8")


def pages() -> dict[str, dict[str, list[str]]]:
    """The lines of every table by page and name, as the committed board has them."""
    readme = {"results": results_table(), "contrasts": contrast_table()}
    readme |= {corpus: corpus_table(corpus) for corpus in OTHER_CORPORA}
    fine_tuning = {"fine-tuned": fine_tuned_table(), "what it gives": gains_table(), "trials": trials_table()}
    return {"README.md": readme, "docs/fine-tuning.md": fine_tuning}


def with_tables(text: str, tables: dict[str, list[str]], page: str) -> str:
    """The text of a page with these tables in their places."""
    for name, lines in tables.items():
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- {name} -->\n)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise SystemExit(f"{page} must have one table between two comments <!-- {name} -->.")
        table = "".join(f"{line}\n" for line in lines)
        text = block.sub(lambda match, table=table: f"{match[1]}\n{table}\n{match[2]}", text)
    return text


def results_table() -> list[str]:
    """Measured rows on all test utterances, with their micro F1 on the subsets beside."""
    found = [row for row in read("leaderboard.csv") if row["protocol"] == "utterance" and row["evidence"] == "measured"]
    found = [row for row in found if row["dataset"] == "dailydialog"]
    beside = {(row["subset"], row["system"]): f"{float(row['micro_f1']):.2f}" for row in found}
    lines = [
        f"| rank | system | micro F1 [95%] | macro F1 [95%] | MCC [95%] | {' | '.join(BESIDE)} | seeds |",
        f"|---:|---|---:|---:|---:|{'---:|' * len(BESIDE)}---:|",
    ]
    for row in (row for row in found if row["subset"] == "all"):
        cells = [
            row["rank"].replace("-", "–") or "–",
            row["system"],
            *(with_interval(row, name, decimals) for name, decimals in SCORES.items()),
            *(beside[subset, row["system"]] for subset in BESIDE),
            row["seeds"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def corpus_table(corpus: str) -> list[str]:
    """Measured rows of another corpus on all its test utterances, with the weighted F1 of those without near twins."""
    found = [row for row in read("leaderboard.csv") if row["protocol"] == "utterance" and row["evidence"] == "measured"]
    found = [row for row in found if row["dataset"] == corpus]
    novel = {row["system"]: f"{float(row['weighted_f1_all']):.2f}" for row in found if row["subset"] == "novel"}
    lines = [
        "| rank | system | weighted F1 [95%] | accuracy | macro F1, all labels | micro F1 without neutral [95%] | MCC | novel | "
        "seeds |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in (row for row in found if row["subset"] == "all"):
        cells = [
            row["rank"].replace("-", "–") or "–",
            row["system"],
            *(
                with_interval(row, name, decimals) if name in WITH_INTERVAL else f"{float(row[name]):.{decimals}f}"
                for name, decimals in OTHER_SCORES.items()
            ),
            novel[row["system"]],
            row["seeds"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def with_interval(row: dict[str, str], metric: str, decimals: int) -> str:
    """A score of a row of the CSV: `54.38 [51.57, 57.36]`."""
    value, low, high = (float(row[f"{metric}{end}"]) for end in ("", "_low", "_high"))
    return f"{value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def contrast_table() -> list[str]:
    """The planned contrasts about the paper."""
    lines = ["| question | A | B | A − B, micro F1 [95%] | p | corrected |", "|---|---|---|---:|---:|---:|"]
    for row in read("leaderboard.contrasts.csv"):
        if (row["family"], row["dataset"], row["metric"]) == (FAMILY, "dailydialog", "micro_f1"):
            lines.append(f"| {' | '.join([row['question'], row['a'], row['b'], *answer(row)])} |")
    return lines


def answer(row: dict[str, str]) -> list[str]:
    """Difference with interval, p, and p corrected for the family, of a planned contrast."""
    if not row["difference"]:
        return ["not run yet", "–", "–"]
    value, low, high = (f"{float(row[name]):+.2f}".replace("-", "−") for name in ("difference", "low", "high"))
    return [f"{value} [{low}, {high}]", *(p_text(float(row[name])) for name in ("p_value", "p_corrected"))]


def fine_tuned_table() -> list[str]:
    """The rows of the fine-tuned system on each corpus, by what ranks there, with what training and answers cost."""
    lines = [
        "| corpus | system | rank | score [95%] | novel | seeds | training, s | utterances a second |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows = [row for row in read("leaderboard.csv") if row["protocol"] == "utterance" and row["evidence"] == "measured"]
    novel = {(row["dataset"], row["system"]): row for row in rows if row["subset"] == "novel"}
    for corpus in ("dailydialog", *OTHER_CORPORA):
        metric = "micro_f1" if corpus == "dailydialog" else "weighted_f1_all"
        for row in rows:
            if (row["dataset"], row["subset"]) == (corpus, "all") and row["system"].split()[0] == FINE_TUNED:
                cells = [
                    corpus,
                    row["system"],
                    row["rank"].replace("-", "–"),
                    f"{with_interval(row, metric, 2)}",
                    f"{float(novel[corpus, row['system']][metric]):.2f}",
                    row["seeds"],
                    f"{float(row['train_seconds']):.0f}",
                    f"{float(row['utterances_per_second']):,.0f}",
                ]
                lines.append(f"| {' | '.join(cells)} |")
    return lines


def gains_table() -> list[str]:
    """The planned contrasts about fine-tuning, by corpus."""
    lines = ["| corpus | A | B | dialogues | A − B [95%] | p | corrected |", "|---|---|---|---|---:|---:|---:|"]
    for row in read("leaderboard.contrasts.csv"):
        if row["a"].split()[0] == FINE_TUNED and row["protocol"] == "utterance":
            cells = [row["dataset"], row["a"], row["b"], row["subset"], *answer(row)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def trials_table() -> list[str]:
    """Every trial, by setting: micro F1 on validation by corpus, and their mean where all were tried."""
    with TRIALS.open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    corpora = ("dailydialog", *OTHER_CORPORA)
    scores: dict[tuple[str, ...], dict[str, float]] = {}
    for row in found:
        setting = tuple(row[name] for name in TRIED)
        scores.setdefault(setting, {})[row["dataset"]] = float(row["validation_micro_f1"])
    lines = [f"| {' | '.join([*TRIED, *corpora, 'mean'])} |", f"|{'---:|' * (len(TRIED) + len(corpora) + 1)}"]
    for setting, by_corpus in sorted(scores.items(), key=lambda each: _mean(each[1]), reverse=True):
        cells = [f"{by_corpus[corpus]:.2f}" if corpus in by_corpus else "–" for corpus in corpora]
        mean = f"{_mean(by_corpus):.2f}" if len(by_corpus) == len(corpora) else "–"
        lines.append(f"| {' | '.join([*setting, *cells, mean])} |")
    return lines


def _mean(by_corpus: dict[str, float]) -> float:
    return sum(by_corpus.values()) / (1 + len(OTHER_CORPORA))


def p_text(p_value: float) -> str:
    """A p-value in three decimals."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def read(name: str) -> list[dict[str, str]]:
    """The rows of a file of the committed board."""
    path = BOARD / name
    if not path.is_file():
        raise SystemExit(
            f"{path} must be there. Make it: erc-bench leaderboard --results-dir leaderboard --format md,csv,html,contrasts"
        )
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
