from __future__ import annotations

import pytest

from erc_bench.contract.domain import DAILYDIALOG_LABELS, SPLITS
from erc_bench.data.manifest import Mirror, package_manifest


@pytest.mark.parametrize(
    ("url", "single", "train"),
    [
        ("http://h/ijcnlp_dailydialog.zip", True, None),
        ("http://h/a.zip?download=1", True, None),
        ("http://h/data", False, "http://h/data/train.zip"),
        ("http://h/data/", False, "http://h/data/train.zip"),
    ],
)
def test_a_mirror_is_one_archive_or_a_base(url: str, single: bool, train: str | None) -> None:
    mirror = Mirror("m", url)
    assert mirror.single is single
    if train:
        assert mirror.split_url("train") == train


def test_the_manifest_is_whole() -> None:
    for name, facts in package_manifest().datasets.items():
        assert facts.name == name
        assert list(facts.splits) == list(SPLITS)
        for split in facts.splits.values():
            assert list(split.labels) == list(DAILYDIALOG_LABELS.names)
            assert sum(split.labels.values()) == split.utterances
    mirrors = package_manifest().facts("dailydialog").mirrors
    assert mirrors[0].url == "http://yanran.li/files/ijcnlp_dailydialog.zip"
    assert len({mirror.url for mirror in mirrors}) == len(mirrors) >= 3
