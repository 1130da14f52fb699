from __future__ import annotations

from pathlib import Path

import pytest

from erc_bench.errors import UsageError
from erc_bench.running.scaffold import write_package


@pytest.mark.parametrize("name", ["My-System", "my system", "1st", "class", "../up", "sentemocontext", ""])
def test_bad_names_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must"):
        write_package(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "my-system").mkdir()
    with pytest.raises(UsageError, match="must not exist yet"):
        write_package("my-system", tmp_path)


def test_class_and_module_follow_the_name(tmp_path: Path) -> None:
    folder = write_package("my-first-system", tmp_path)
    assert "class MyFirstSystem(System[Config]):" in (folder / "my_first_system.py").read_text()
    assert 'my-first-system = "my_first_system:MyFirstSystem"' in (folder / "pyproject.toml").read_text()
