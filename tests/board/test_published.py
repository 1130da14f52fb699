from __future__ import annotations

import pytest

from erc_bench.board.published import FLAGS, parse_published, published_results, published_rows
from erc_bench.errors import DataCorruptError

HEADER = "system,reference,dataset,protocol,micro_f1,macro_f1,mcc,flags,source\n"
U, L, T = "utterance", "last-turn", "triplet"
MACRO_7 = "macro over 7 labels"

# Table 2 of the SEC paper (macro F1, micro F1, MCC as printed there), then what it leaves out.
EXPECTED: list[tuple[str, str, str, float | None, float | None, float | None, tuple[str, ...]]] = [
    ("CNN+cLSTM", "Poria et al., ACL 2017", U, None, 50.24, None, ()),
    ("KET", "Zhong et al., EMNLP-IJCNLP 2019", U, None, 53.37, None, ()),
    ("COSMIC", "Ghosal et al., Findings of EMNLP 2020", U, 51.05, 58.48, None, (MACRO_7,)),
    ("RoBERTa", "Ghosal et al., Findings of EMNLP 2020", U, 48.20, 55.16, None, ()),
    ("Rpe-RGAT", "Ishiwatari et al., EMNLP 2020", U, None, 54.31, None, ()),
    ("Glove-DRNN", "Ghosal et al., Findings of ACL-IJCNLP 2021", U, 41.8, 55.95, None, ()),
    ("roBERTa-DRNN", "Ghosal et al., Findings of ACL-IJCNLP 2021", U, 49.65, 57.32, None, ()),
    ("CNN", "Ghosal et al., Findings of ACL-IJCNLP 2021", U, 36.87, 50.32, None, ()),
    ("DAG-ERC", "Shen et al., ACL-IJCNLP 2021", U, None, 59.33, None, ()),
    ("TODKAT", "Zhu et al., ACL-IJCNLP 2021", U, 52.56, 58.47, None, ("weighted F1 labelled macro",)),
    ("SKAIG", "Li et al., Findings of EMNLP 2021", U, 51.95, 59.75, None, ()),
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
    found = [(r.system, r.reference, r.protocol, r.macro_f1, r.micro_f1, r.mcc, r.flags) for r in published_results()]
    assert found == EXPECTED


def test_every_row_is_of_dailydialog_and_names_its_source() -> None:
    for result in published_results():
        assert result.dataset == "dailydialog"
        in_table = "not in Table 2" not in result.flags
        assert result.source.startswith("Table 2 of Gendron and Guibon (WASSA 2024)") == in_table


def test_evidence_of_the_flags_is_named() -> None:
    sources = {result.system: result.source for result in published_results()}
    assert "erc-training/train_dailydialog.py:115" in sources["COSMIC"]
    assert "emotion_transformer.py:254" in sources["CD-ERC"]
    assert "commit 0e93e5e" in sources["SentEmoContext"]


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
        ("A,B,d,utterance,50,,,macro over 8 labels,S", "line 2: row: Value error, flags must be among"),
        ("A,B,d,utterance,101,,,,S", "line 2: micro_f1: Input should be less than or equal to 100"),
        ("A,B,d,utterance,50,-1,,,S", "line 2: macro_f1"),
        ("A,B,d,utterance,50,,1.5,,S", "line 2: mcc"),
        ("A,B,d,utterance,nan,,,,S", "line 2: micro_f1: Input should be a finite number"),
        ("A,B,d,utterance,high,,,,S", "line 2: micro_f1: Input should be a valid number"),
        ("A,B,d,utterance,,,,,S", "line 2: row: Value error, at least one of micro_f1, macro_f1 and mcc"),
        (
            "A,B,d,sentence,50,,,,S",
            "protocol must be one of utterance, last-turn, emotional, triplet, few-shot, got sentence",
        ),
        ("A,B,d,last-turn,50,,,,S", "must carry the flag 'last turn only'"),
        ("A,B,d,triplet,50,,,,S", "must carry the flag 'random triplets'"),
        (",B,d,utterance,50,,,,S", "line 2: system: String should have at least 1 character"),
        ("A,B,d,utterance,50,,,,S,more", "line 2: surplus: Extra inputs are not permitted"),
        ("A,B,d,utterance,50", "line 2: "),
        ("A,B,d,utterance,50,,,,S\nA,B,d,utterance,60,,,,S", "line 3: A stands already on line 2"),
    ],
)
def test_damaged_lines_are_refused(line: str, problem: str) -> None:
    with pytest.raises(DataCorruptError) as caught:
        parse_published(f"{HEADER}{line}\n")
    assert problem in str(caught.value)


def test_all_problems_are_listed() -> None:
    with pytest.raises(DataCorruptError) as caught:
        parse_published(f"{HEADER}A,B,d,utterance,101,,,,S\nB,B,d,utterance,,,,,S\n")
    assert "line 2" in str(caught.value)
    assert "line 3" in str(caught.value)


def test_other_columns_are_refused() -> None:
    with pytest.raises(DataCorruptError, match=r"the columns of published\.csv must be system, reference"):
        parse_published("system,micro_f1\nA,50\n")
    with pytest.raises(DataCorruptError, match=r"the columns of published\.csv"):
        parse_published("")
