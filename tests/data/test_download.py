from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from erc_bench.contract.domain import SPLITS
from erc_bench.data import download_dir, load_dataset
from erc_bench.data.dailydialog import DAILYDIALOG
from erc_bench.data.download import check_split, download
from erc_bench.data.emorynlp import EMORYNLP
from erc_bench.data.meld import MELD
from erc_bench.data.spec import DatasetSpec, Mirror
from erc_bench.errors import DataCorruptError, DataError, DataMissingError, UsageError
from erc_bench.progress import SilentProgress

if TYPE_CHECKING:
    from tests.conftest import FileServer, TinyRelease


class Notes(SilentProgress):
    """Keeps what a person would read."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, message: str) -> None:
        self.lines.append(message)


def serve(server: FileServer, release: TinyRelease, base: str = "/good") -> Mirror:
    """Put the archives of the splits on the server."""
    for split in SPLITS:
        server.files[f"{base}/{split}.zip"] = release.archives[split]
    return server.mirror(base, base)


def get(release: TinyRelease, *mirrors: Mirror, progress: Notes | None = None, force: bool = False) -> Path:
    return download(
        release.spec_with(*mirrors),
        progress=progress or Notes(),
        force=force,
        pause=0.01,
    )


def assert_complete(release: TinyRelease) -> None:
    folder = download_dir("dailydialog")
    assert load_dataset(release.spec) == release.dataset
    assert sorted(path.name for path in folder.iterdir()) == ["test.zip", "train.zip", "validation.zip"]
    assert {path.name for path in folder.parent.iterdir()} == {"dailydialog"}


def assert_nothing() -> None:
    assert {path.name for path in download_dir("dailydialog").parent.iterdir()} <= {
        ".dailydialog.lock"
    }  # of a killed one


def test_archives_of_the_splits(tiny_release: TinyRelease, file_server: FileServer, home: Path) -> None:
    assert get(tiny_release, serve(file_server, tiny_release)) == download_dir("dailydialog")
    assert_complete(tiny_release)
    assert (download_dir("dailydialog").stat().st_mode & 0o777) == 0o755


def test_the_single_archive(tiny_release: TinyRelease, file_server: FileServer, home: Path) -> None:
    file_server.files["/ijcnlp_dailydialog.zip"] = tiny_release.single
    get(tiny_release, file_server.mirror("/ijcnlp_dailydialog.zip"))
    assert_complete(tiny_release)


def test_a_complete_copy_is_kept_unless_forced(tiny_release: TinyRelease, file_server: FileServer, home: Path) -> None:
    mirror, notes = serve(file_server, tiny_release), Notes()
    get(tiny_release, mirror)
    get(tiny_release, mirror, progress=notes)
    assert len(file_server.requested) == 3
    assert notes.lines == [f"already downloaded: {download_dir('dailydialog')}"]
    get(tiny_release, mirror, force=True)
    assert len(file_server.requested) == 6
    assert_complete(tiny_release)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_copy_is_replaced(
    damage: str, tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    mirror, notes = serve(file_server, tiny_release), Notes()
    get(tiny_release, mirror)
    archive = download_dir("dailydialog") / "train.zip"
    archive.write_bytes(archive.read_bytes()[:100])
    if damage == "gone":
        for path in download_dir("dailydialog").iterdir():
            path.unlink()
    get(tiny_release, mirror, progress=notes)
    assert notes.lines[0].startswith("downloading again")
    assert_complete(tiny_release)


def test_a_broken_connection_is_tried_again(tiny_release: TinyRelease, file_server: FileServer, home: Path) -> None:
    mirror, notes = serve(file_server, tiny_release), Notes()
    file_server.broken["/good/validation.zip"] = 2
    get(tiny_release, mirror, progress=notes)
    assert file_server.requested.count("/good/validation.zip") == 3
    assert [line.partition(" at ")[0] for line in notes.lines] == ["attempt 1 of 3", "attempt 2 of 3"]
    assert all("a connection that broke before the end" in line for line in notes.lines)
    assert_complete(tiny_release)


def test_a_connection_that_always_breaks_gives_up(
    tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    mirror = serve(file_server, tiny_release)
    file_server.broken["/good/train.zip"] = 99
    with pytest.raises(DataMissingError, match=r"train\.zip must be there, got: a connection that broke"):
        get(tiny_release, mirror)
    assert file_server.requested == ["/good/train.zip"] * 3
    assert_nothing()


@pytest.mark.parametrize(
    "first",
    ["dead", "missing", "busy", "web page", "truncated", "altered", "mislabelled", "splits swapped"],
)
def test_a_bad_mirror_is_followed_by_a_good_one(
    first: str, tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    good, notes = serve(file_server, tiny_release), Notes()
    bad = serve(file_server, tiny_release, "/bad")
    dialogues, emotions = tiny_release.texts["test"]
    match first:
        case "dead":
            bad, expected = Mirror("/bad", "http://127.0.0.1:9"), "Connection refused"
        case "missing":
            del file_server.files["/bad/test.zip"]
            expected = "404 Not Found"
        case "busy":
            file_server.statuses["/bad/test.zip"] = 503
            expected = "503 Service Unavailable"
        case "web page":
            file_server.files["/bad/train.zip"] = b"<!DOCTYPE html><title>This domain may be for sale</title>"
            expected = "got a web page"
        case "truncated":
            file_server.files["/bad/test.zip"] = tiny_release.archives["test"][:-30]
            expected = "must be a complete zip archive"
        case "altered":
            file_server.files["/bad/test.zip"] = tiny_release.archive(
                "test", dialogues.replace(b"late", b"early"), emotions
            )
            expected = "must have the SHA-256"
        case "mislabelled":
            file_server.files["/bad/test.zip"] = tiny_release.archive("test", dialogues, emotions.replace(b"6", b"8"))
            expected = "an integer from 0 to 6, got '8'"
        case _:
            file_server.files["/bad/test.zip"] = tiny_release.archives["validation"]
            expected = "must hold dialogues_test.txt"
    get(tiny_release, bad, good, progress=notes)
    failed = [line for line in notes.lines if line.startswith("failed: /bad")]
    assert len(failed) == 1
    assert expected in failed[0]
    # a refusal is final, a busy server or a dead one is asked again
    assert file_server.requested.count("/bad/test.zip") <= (3 if first == "busy" else 1)
    assert_complete(tiny_release)


def test_all_mirrors_failing_lists_each_with_its_reason(
    tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    altered = serve(file_server, tiny_release, "/altered")
    file_server.files["/altered/train.zip"] = tiny_release.archive("train", b"a __eou__\n", b"0\n")
    mirrors = [
        altered,
        Mirror("/dead", "http://127.0.0.1:9"),
        file_server.mirror("/no.zip"),
        Mirror("/bad", "no address"),
    ]
    with pytest.raises(DataMissingError) as caught:
        get(tiny_release, *mirrors)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert [line for line in message.splitlines() if line.startswith("- ")] == [
        line
        for mirror in mirrors
        for line in message.splitlines()
        if line.startswith(f"- {mirror.name} ({mirror.url}): ")
    ]
    assert len([line for line in message.splitlines() if line.startswith("- ")]) == 4
    assert "--url" in message
    assert "--data-dir" in message
    assert_nothing()


def test_a_failure_leaves_an_earlier_copy_alone(tiny_release: TinyRelease, file_server: FileServer, home: Path) -> None:
    get(tiny_release, serve(file_server, tiny_release))
    with pytest.raises(DataMissingError):
        get(tiny_release, Mirror("/dead", "http://127.0.0.1:9"), force=True)
    assert_complete(tiny_release)


def test_a_repacked_archive_with_the_official_content_is_taken(
    tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    mirror, notes = serve(file_server, tiny_release), Notes()
    repacked = tiny_release.archive("train", *tiny_release.texts["train"], compression=zipfile.ZIP_STORED)
    assert repacked != tiny_release.archives["train"]
    file_server.files["/good/train.zip"] = repacked
    get(tiny_release, mirror, progress=notes)
    assert notes.lines == ["/good has other files than the official ones: their content is the same"]
    assert_complete(tiny_release)


def test_an_answer_without_end_is_cut_off(
    tiny_release: TinyRelease, file_server: FileServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erc_bench.data.download.MAX_BYTES", 100)
    with pytest.raises(DataMissingError, match="must have at most 100 bytes, got more"):
        get(tiny_release, serve(file_server, tiny_release))


def test_the_sample_needs_no_download(home: Path) -> None:
    notes = Notes()
    folder = download("sample", progress=notes)
    assert (folder / "test.jsonl").is_file()
    assert notes.lines == ["sample is there already, by the package: nothing to download"]


def test_a_folder_that_cannot_be_written(tiny_release: TinyRelease, file_server: FileServer, home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"must be writable, got: .* ERC_BENCH_HOME"):
        get(tiny_release, serve(file_server, tiny_release))


CHILD = """
import sys
from erc_bench.data.download import download
from erc_bench.data.spec import Mirror
from erc_bench.progress import LineProgress
download("dailydialog", progress=LineProgress(), mirrors=[Mirror("m", sys.argv[1])])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_an_interrupted_download_leaves_nothing_and_can_be_repeated(
    number: signal.Signals, tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    mirror = serve(file_server, tiny_release)
    file_server.hang.add("/good/validation.zip")
    with subprocess.Popen([sys.executable, "-c", CHILD, mirror.url], stderr=subprocess.DEVNULL) as child:
        assert file_server.half_sent.wait(60)
        child.send_signal(number)
        assert child.wait(60) == -number
    assert not download_dir("dailydialog").exists()
    assert_nothing()
    file_server.hang.clear()
    get(tiny_release, mirror)
    assert_complete(tiny_release)


KILLED_WHILE_INSTALLING = """
import os, signal, sys
from pathlib import Path
from erc_bench.data.download import _stage

class Killer(dict):
    def items(self):
        yield "train.zip", b"half of it"
        os.kill(os.getpid(), signal.SIGKILL)

target = Path(sys.argv[1])
target.parent.mkdir(parents=True)
_stage(Killer(), target)
"""


def test_what_a_killed_process_was_writing_is_cleaned_up(
    tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    target = download_dir("dailydialog")
    child = subprocess.run([sys.executable, "-c", KILLED_WHILE_INSTALLING, str(target)], check=False)
    assert child.returncode == -signal.SIGKILL
    assert [path.name.partition("-")[0] for path in target.parent.iterdir()] == [".dailydialog.partial"]
    with pytest.raises(DataMissingError, match="no such folder"):
        load_dataset(tiny_release.spec)
    get(tiny_release, serve(file_server, tiny_release))
    assert_complete(tiny_release)


def test_two_downloads_at_once_wait_for_each_other(
    tiny_release: TinyRelease, file_server: FileServer, home: Path
) -> None:
    from filelock import FileLock

    target = download_dir("dailydialog")
    target.parent.mkdir(parents=True)

    class ReleasingNotes(Notes):
        def note(self, message: str) -> None:
            super().note(message)
            if message.startswith("waiting"):
                tiny_release.write_archives(target)
                lock.release()

    notes = ReleasingNotes()
    lock = FileLock(target.parent / ".dailydialog.lock")
    lock.acquire()
    get(tiny_release, serve(file_server, tiny_release), progress=notes)
    assert notes.lines == ["waiting for another download of dailydialog", f"already downloaded: {target}"]
    assert file_server.requested == []


def test_check_split_tells_official_from_repacked(tiny_release: TinyRelease, tmp_path: Path) -> None:
    archive = tiny_release.write_archives(tmp_path) / "test.zip"
    assert check_split(tiny_release.spec, tmp_path, "test") is True
    archive.write_bytes(tiny_release.archive("test", *tiny_release.texts["test"], compression=zipfile.ZIP_STORED))
    assert check_split(tiny_release.spec, tmp_path, "test") is False
    archive.write_bytes(b"")
    with pytest.raises(
        DataCorruptError, match=r"test\.zip must have the SHA-256 [0-9a-f]{64}, or the same content, got"
    ) as caught:
        check_split(tiny_release.spec, tmp_path, "test")
    assert str(tmp_path) not in str(caught.value)


def test_what_cannot_be_downloaded_says_where_to_get_it(tiny_release: TinyRelease, home: Path) -> None:
    spec = dataclasses.replace(tiny_release.spec, mirrors=(), how_to_get="Ask its owners.")
    with pytest.raises(UsageError, match=r"must be got by hand.* Ask its owners\. Then name the folder"):
        download(spec, progress=SilentProgress())


@pytest.mark.data
@pytest.mark.parametrize("single", [True, False], ids=["one archive", "an archive a split"])
def test_the_real_release(single: bool, dailydialog_dir: Path, file_server: FileServer, home: Path) -> None:
    from zipfile import ZipFile

    if single:
        whole = home.parent / "ijcnlp_dailydialog.zip"
        with ZipFile(whole, "w") as archive:
            for split in SPLITS:
                archive.write(dailydialog_dir / f"{split}.zip", f"ijcnlp_dailydialog/{split}.zip")
        file_server.files["/files/ijcnlp_dailydialog.zip"] = whole.read_bytes()
        mirror = file_server.mirror("/files/ijcnlp_dailydialog.zip")
    else:
        for split in SPLITS:
            file_server.files[f"/base/{split}.zip"] = (dailydialog_dir / f"{split}.zip").read_bytes()
        mirror = file_server.mirror("/base")
    folder = download("dailydialog", progress=SilentProgress(), mirrors=[mirror])
    assert DAILYDIALOG.facts is not None
    assert load_dataset("dailydialog").fingerprint == DAILYDIALOG.facts.fingerprint
    assert all(
        (folder / f"{split}.zip").read_bytes() == (dailydialog_dir / f"{split}.zip").read_bytes() for split in SPLITS
    )


@pytest.fixture(scope="session", params=[MELD, EMORYNLP], ids=lambda spec: spec.name)
def plain_files(request: pytest.FixtureRequest) -> tuple[DatasetSpec, Path]:
    """A real corpus of plain files and the folder that holds them."""
    return request.param, request.getfixturevalue(f"{request.param.name}_dir")


@pytest.mark.data
def test_a_release_of_plain_files(plain_files: tuple[DatasetSpec, Path], file_server: FileServer, home: Path) -> None:
    """From a server with the paths of the authors' repository; a file of other content is refused."""
    spec, source = plain_files
    (mirror,) = spec.mirrors
    path = urlsplit(mirror.url).path
    for file in spec.files.values():
        file_server.files[f"{path}/{file}"] = (source / file).read_bytes()
    local = Mirror(mirror.name, file_server.url(path))
    folder = download(spec, progress=SilentProgress(), mirrors=[local], pause=0.01)
    assert spec.facts is not None
    assert load_dataset(spec).fingerprint == spec.facts.fingerprint
    assert sorted(path.name for path in folder.iterdir()) == sorted(spec.files.values())
    train = f"{path}/{spec.files['train']}"
    file_server.files[train] = file_server.files[train].replace(b"you", b"me", 1)
    with pytest.raises(
        DataMissingError, match=r"the content of the train split .* a text, a label or the order differs"
    ):
        download(spec, progress=SilentProgress(), mirrors=[local], force=True, pause=0.01)
    assert load_dataset(spec).fingerprint == spec.facts.fingerprint


def test_the_authors_repositories_are_where_they_are() -> None:
    urls = [spec.mirrors[0].file_url(spec.files["validation"]) for spec in (MELD, EMORYNLP)]
    raw = "https://raw.githubusercontent.com"
    assert urls == [
        f"{raw}/declare-lab/MELD/master/data/MELD/dev_sent_emo.csv",
        f"{raw}/emorynlp/emotion-detection/master/json/emotion-detection-dev.json",
    ]
