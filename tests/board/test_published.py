from __future__ import annotations

import re

import pytest

from erc_bench.board.published import (
    CHECKED,
    FLAGS,
    PublishedResult,
    parse_published,
    published_results,
    published_rows,
)
from erc_bench.errors import DataCorruptError

HEADER = f"{','.join(PublishedResult.model_fields)}\n"
U, L, T = "utterance", "last-turn", "triplet"
MACRO_7 = "macro over 7 labels"
LIKELY_7 = "macro likely over 7 labels"
PAPER = "dailydialog"

# Table 2 of the SEC paper (macro F1, micro F1, MCC as printed there), then what it leaves out.
EXPECTED: list[tuple[str, str, str, float | None, float | None, float | None, tuple[str, ...]]] = [
    ("CNN+cLSTM", "Poria et al., ACL 2017", U, None, 50.24, None, ()),
    ("KET", "Zhong et al., EMNLP-IJCNLP 2019", U, None, 53.37, None, ()),
    ("COSMIC", "Ghosal et al., Findings of EMNLP 2020", U, 51.05, 58.48, None, (MACRO_7,)),
    ("RoBERTa", "Ghosal et al., Findings of EMNLP 2020", U, 48.20, 55.16, None, (LIKELY_7,)),
    ("Rpe-RGAT", "Ishiwatari et al., EMNLP 2020", U, None, 54.31, None, ()),
    ("Glove-DRNN", "Ghosal et al., Findings of ACL-IJCNLP 2021", U, 41.8, 55.95, None, ()),
    ("roBERTa-DRNN", "Ghosal et al., Findings of ACL-IJCNLP 2021", U, 49.65, 57.32, None, (LIKELY_7,)),
    ("CNN", "Ghosal et al., Findings of ACL-IJCNLP 2021", U, 36.87, 50.32, None, ()),
    ("DAG-ERC", "Shen et al., ACL-IJCNLP 2021", U, None, 59.33, None, ()),
    ("TODKAT", "Zhu et al., ACL-IJCNLP 2021", U, 52.56, 58.47, None, ("weighted F1 labelled macro",)),
    ("SKAIG", "Li et al., Findings of EMNLP 2021", U, 51.95, 59.75, None, (MACRO_7,)),
    ("Sentic GAT", "Tu et al., IEEE Transactions on Artificial Intelligence 2022", U, None, 54.45, None, ()),
    ("CauAIN", "Zhao et al., IJCAI 2022", U, None, 58.21, None, ()),
    ("DialogueRole", "Ong et al., AAAI 2022", U, None, 60.95, None, ()),
    ("S+PAGE", "Liang et al., AACL-IJCNLP 2022", U, None, 64.07, None, ("64.01 in the text",)),
    ("DualGAT", "Zhang et al., ACL 2023", U, None, 61.84, None, ()),
    ("CD-ERC", "Pereira et al., WASSA 2023", U, 51.23, None, None, (MACRO_7,)),
    (
        "Llama2-7b",
        "Touvron et al., arXiv 2023",
        L,
        9.70,
        24.92,
        0.08,
        ("last turn only", "MCC 0.008 by its confusion matrix"),
    ),
    ("Llama2-13b", "Touvron et al., arXiv 2023", L, 22.26, 43.37, 0.15, ("last turn only",)),
    ("Falcon-7b", "Penedo et al., arXiv 2023", L, 7.54, 42.75, 0.01, ("last turn only", "falls back to happiness")),
    ("MCM-CSD", "Xu and Yang, ICASSP 2024", U, None, 60.70, None, ()),
    ("SentEmoContext", "Gendron and Guibon, WASSA 2024", T, 57.71, 57.75, 0.49, ("random triplets",)),
    ("CESTa", "Wang et al., SIGDIAL 2020", U, None, 63.12, None, ("not in Table 2",)),
    ("CoMPM", "Lee and Lee, NAACL 2022", U, 53.15, 60.34, None, ("not in Table 2", MACRO_7)),
]


def test_every_published_row_is_as_its_source_prints_it() -> None:
    results = published_results(PAPER)
    found = [(r.system, r.reference, r.protocol, r.macro_f1, r.micro_f1, r.mcc, r.flags) for r in results]
    assert found == EXPECTED


def test_every_row_names_its_source() -> None:
    for result in published_results():
        in_table = result.dataset == PAPER and "not in Table 2" not in result.flags
        assert result.source.startswith("Table 2 of Gendron and Guibon (WASSA 2024)") == in_table
        assert in_table or "https://" in result.source or result.source == "abstract of the paper"
        assert (result.link == "") == (result.dataset == PAPER)


def test_evidence_of_the_flags_is_named() -> None:
    sources = {result.system: result.source for result in published_results(PAPER)}
    assert "erc-training/train_dailydialog.py:116" in sources["COSMIC"]
    assert "gnn_train.py" in sources["SKAIG"]
    assert "beside COSMIC's 51.05" in sources["RoBERTa"]
    assert sources["RoBERTa"].partition(";")[2] == sources["roBERTa-DRNN"].partition(";")[2]
    assert "emotion_transformer.py:254" in sources["CD-ERC"]
    assert "commit 0e93e5e" in sources["SentEmoContext"]
    for result in published_results():
        if "other figures in print" in result.flags:
            assert re.search(r"; \d\d\.\d+ (on|in|for) ", result.source), "the other figure and where it stands"


@pytest.mark.parametrize("dataset", ["meld", "emorynlp", "iemocap"])
def test_corpora_ranked_by_weighted_f1_have_a_dozen_systems_stated_in_it(dataset: str) -> None:
    rows = published_rows(dataset)
    systems = {row.title for row in rows}
    assert len(systems) == len(rows) >= 12
    assert {row.protocol for row in rows} == {"utterance"}
    assert all("weighted_f1_all" in row.scores and "micro_f1" not in row.scores for row in rows)
    assert "unchecked" not in {row.checked for row in rows}


def test_every_way_of_checking_is_used() -> None:
    assert {result.checked for result in published_results()} == set(CHECKED)


# As read in the README of the authors' code, or in the abstract; MELD, EmoryNLP, IEMOCAP.
READ = {
    "EmoBERTa": (65.61, None, 68.57),
    "CoMPM": (66.52, 37.37, 66.33),
    "DialogueCRN": (58.39, None, 66.20),
    "MM-DFN": (59.46, None, 68.18),
    "BiosERC (Llama-2-13b)": (69.83, 41.68, 71.19),
    "RRAA": (63.82, 39.85, 69.10),
}


@pytest.mark.parametrize("system", READ)
def test_numbers_that_were_read_at_their_origin(system: str) -> None:
    found = {result.dataset: result for result in published_results() if result.system == system}
    for dataset, value in zip(("meld", "emorynlp", "iemocap"), READ[system], strict=True):
        if value is None:
            assert dataset not in found
        else:
            assert found[dataset].weighted_f1_all == value
            assert found[dataset].checked in ("repository README", "paper text")


def test_every_flag_is_used() -> None:
    assert {flag for result in published_results() for flag in result.flags} == set(FLAGS)


def test_rows_are_unranked_and_explain_their_flags() -> None:
    rows = published_rows("dailydialog", "triplet")
    assert [row.title for row in rows] == ["SentEmoContext"]
    (row,) = rows
    assert (row.rank, row.evidence, row.subset, row.seeds) == ("", "published", "all", None)
    assert row.scores["micro_f1"].low is None
    assert row.notes == (FLAGS["random triplets"],)
    assert published_rows("sample") == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "A,B 2020,d,utterance,50,,,,,,macro over 8 labels,S,,paper text",
            "line 2: row: Value error, flags must be among",
        ),
        ("A,B 2020,d,utterance,101,,,,,,,S,,paper text", "line 2: micro_f1: Input should be less than or equal to 100"),
        ("A,B 2020,d,utterance,50,-1,,,,,,S,,paper text", "line 2: macro_f1"),
        ("A,B 2020,d,utterance,,,,100.1,,,,S,,paper text", "line 2: weighted_f1_all"),
        ("A,B 2020,d,utterance,50,,,,,1.5,,S,,paper text", "line 2: mcc"),
        ("A,B 2020,d,utterance,nan,,,,,,,S,,paper text", "line 2: micro_f1: Input should be a finite number"),
        ("A,B 2020,d,utterance,high,,,,,,,S,,paper text", "line 2: micro_f1: Input should be a valid number"),
        (
            "A,B 2020,d,utterance,,,,,,,,S,,paper text",
            "line 2: row: Value error, at least one of micro_f1, macro_f1",
        ),
        (
            "A,B 2020,d,sentence,50,,,,,,,S,,paper text",
            "protocol must be one of utterance, last-turn, emotional, transfer, triplet, few-shot, got sentence",
        ),
        ("A,B 2020,d,last-turn,50,,,,,,,S,,paper text", "must carry the flag 'last turn only'"),
        ("A,B 2020,d,triplet,50,,,,,,,S,,paper text", "must carry the flag 'random triplets'"),
        (",B 2020,d,utterance,50,,,,,,,S,,paper text", "line 2: system: String should have at least 1 character"),
        ("A,B,d,utterance,50,,,,,,,S,,paper text", "reference must end with the year, got B"),
        ("A,B 2020,d,utterance,50,,,,,,,S,,hearsay", "checked must be one of paper text, repository README"),
        ("A,B 2020,d,utterance,50,,,,,,,S,example.org,paper text", "line 2: link: String should match pattern"),
        ("A,B 2020,d,utterance,50,,,,,,,S,,paper text,more", "line 2: surplus: Extra inputs are not permitted"),
        ("A,B 2020,d,utterance,50", "line 2: "),
        (
            "A,B 2020,d,utterance,50,,,,,,,S,,paper text\nA,B 2020,d,utterance,60,,,,,,,S,,paper text",
            "line 3: A stands already on line 2",
        ),
    ],
)
def test_damaged_lines_are_refused(line: str, problem: str) -> None:
    with pytest.raises(DataCorruptError) as caught:
        parse_published(f"{HEADER}{line}\n")
    assert problem in str(caught.value)


def test_all_problems_are_listed() -> None:
    with pytest.raises(DataCorruptError) as caught:
        parse_published(
            f"{HEADER}A,B 2020,d,utterance,101,,,,,,,S,,paper text\nB,B 2020,d,utterance,,,,,,,,S,,paper text\n"
        )
    assert "line 2" in str(caught.value)
    assert "line 3" in str(caught.value)


def test_other_columns_are_refused() -> None:
    with pytest.raises(DataCorruptError, match=r"the columns of published\.csv must be system, reference"):
        parse_published("system,micro_f1\nA,50\n")
    with pytest.raises(DataCorruptError, match=r"the columns of published\.csv"):
        parse_published("")


def test_a_file_that_is_no_csv_is_refused_with_its_line() -> None:
    with pytest.raises(DataCorruptError, match=r"published.csv must be CSV, got line 0: ',' expected"):
        parse_published('"sys"tem,x\n')
