"""Write the tables of the README anew from the committed board: results by corpus, and the planned contrasts about the paper.

    erc-bench leaderboard --results-dir leaderboard --format md,csv,html,contrasts
    python docs/make_readme_tables.py

Each table stands between two comments that open and close it: `<!-- results -->` (DailyDialog), `<!-- contrasts -->`,
`<!-- meld -->` and `<!-- emorynlp -->`.
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


def main() -> None:
    """Replace the tables in README.md."""
    readme = REPOSITORY / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(with_tables(text), encoding="utf-8")


def with_tables(text: str) -> str:
    """The README with its tables as the committed board has them."""
    tables = {"results": results_table(), "contrasts": contrast_table()}
    tables |= {corpus: corpus_table(corpus) for corpus in OTHER_CORPORA}
    for name, lines in tables.items():
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- {name} -->\n)", re.DOTALL)
        if len(block.findall(text)) != 1:
            raise SystemExit(f"README.md must have one table between two comments <!-- {name} -->.")
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
        "| rank | system | weighted F1 [95%] | accuracy | macro F1 | micro F1 without neutral [95%] | MCC | novel | seeds |",
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
            answer = ["not run yet", "–", "–"]
            if row["difference"]:
                value, low, high = (f"{float(row[name]):+.2f}" for name in ("difference", "low", "high"))
                answer = [
                    f"{value} [{low}, {high}]",
                    *(p_text(float(row[name])) for name in ("p_value", "p_corrected")),
                ]
                answer[0] = answer[0].replace("-", "−")
            lines.append(f"| {' | '.join([row['question'], row['a'], row['b'], *answer])} |")
    return lines


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
