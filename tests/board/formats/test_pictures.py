from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from erc_bench.board.formats.pictures import confusion_figure, interval_figure, write_pictures
from erc_bench.errors import UsageError
from erc_bench.protocols.rows import Row, Section

PNG = b"\x89PNG\r\n\x1a\n"


def test_every_picture_is_written_in_every_format(sections: Sequence[Section], tmp_path: Path) -> None:
    paths = write_pictures(sections[1:], tmp_path, ["png", "svg"])
    base = "dailydialog-last-turn-all"
    names = {path.name for path in paths}
    assert {f"{kind}-{base}.{end}" for kind in ("intervals", "parameters", "speed") for end in ("png", "svg")} <= names
    assert f"confusion-{base}-middle.svg" in names
    assert "intervals-dailydialog-last-turn-not-verbatim.svg" in names
    assert not [name for name in names if name.startswith("confusion") and "not-verbatim" in name]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    for path in paths:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(PNG)
        else:
            assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_bytes_are_the_same_whatever_the_users_settings(sections: Sequence[Section], tmp_path: Path) -> None:
    first = write_pictures(sections[:1], tmp_path / "first", ["svg", "png"])
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.hashsalt": "other", "savefig.dpi": 30}):
        second = write_pictures(sections[:1], tmp_path / "second", ["svg", "png"])
    assert [path.name for path in first] == [path.name for path in second]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
    assert b"<dc:date>" not in first[0].read_bytes()


def test_rows_of_one_title_and_titles_without_letters_get_files_of_their_own(
    sections: Sequence[Section], tmp_path: Path
) -> None:
    row = sections[1].rows[0]
    named = [replace(row, title=title) for title in ("a/../b", "A b", "…", "$x_{$ 感情 \n\ud800")]
    paths = write_pictures([replace(sections[1], rows=tuple(named))], tmp_path, ["svg"])
    confusions = sorted(path.name for path in paths if path.name.startswith("confusion"))
    assert [name.removeprefix("confusion-dailydialog-last-turn-all-") for name in confusions] == [
        "a-b-2.svg",
        "a-b.svg",
        "row.svg",
        "x.svg",
    ]


def test_unknown_format_is_refused_before_anything_is_written(sections: Sequence[Section], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be one of png, svg, got 'pdf'"):
        write_pictures(sections, tmp_path / "new", ["svg", "pdf"])
    assert not (tmp_path / "new").exists()


def test_interval_picture_has_a_line_a_row_and_the_best_floor(sections: Sequence[Section]) -> None:
    figure = interval_figure(sections[1])
    assert [axis.get_xlabel() for axis in figure.axes] == ["Micro F1", "Macro F1", "MCC"]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["large", "middle", "wasteful", "talker", "constant (floor)"]
    floor = sections[1].rows[-1].scores["micro_f1"].value
    dashed = [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines if line.is_dashed()]
    assert dashed == [[floor, floor]]


def test_confusion_picture_prints_every_count(sections: Sequence[Section]) -> None:
    row = sections[1].rows[3]
    assert row.confusion is not None
    axis = confusion_figure(row).axes[0]
    assert [int(text.get_text().replace(",", "")) for text in axis.texts] == row.confusion.ravel().tolist()
    assert [label.get_text() for label in axis.get_xticklabels()][-1] == "unusable"


def test_row_without_counts_has_no_confusion_picture(published: Sequence[Row]) -> None:
    with pytest.raises(ValueError, match="must have a confusion matrix"):
        confusion_figure(published[0])
