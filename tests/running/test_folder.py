from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.progress import SilentProgress
from erc_bench.running.folder import exclusive, remake_folder, swap_in


def write(folder: Path, content: str) -> None:
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(content)


def test_the_new_run_takes_the_place_of_the_old(tmp_path: Path) -> None:
    folder = tmp_path / "seed-0"
    write(folder, "old")
    write(remake_folder(folder), "new")
    swap_in(folder)
    assert (folder / "run.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["seed-0"]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_swap_that_was_killed_is_finished(renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "seed-0"
    write(folder, "old")
    write(remake_folder(folder), "new")
    done = 0
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        nonlocal done
        if done == renames:
            raise KeyboardInterrupt
        done += 1
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        patched.setattr("shutil.rmtree", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            swap_in(folder)
    with exclusive(folder, SilentProgress()):
        assert (folder / "run.json").read_text() == ("old" if renames == 0 else "new")
        assert remake_folder(folder).exists() == (renames == 0), "what was not swapped can still be"
    assert not list(tmp_path.glob(".*replaced*"))
    assert not list(tmp_path.glob("*.lock"))


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "seed-0"
    write(folder, "record")
    for name in (".run.json.123.tmp", ".predictions.jsonl.7.tmp", ".77.npz", ".few_shot.json.9.tmp"):
        (folder / name).write_text("half")
    (folder / "model.unfinished").mkdir()
    (folder / "predictions.jsonl").write_text("kept")
    with exclusive(folder, SilentProgress()):
        assert sorted(path.name for path in folder.iterdir()) == ["predictions.jsonl", "run.json"]
