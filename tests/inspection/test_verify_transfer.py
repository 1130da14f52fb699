from __future__ import annotations

from pathlib import Path

import erc_bench
from erc_bench.board.formats.transfer_files import write_matrices
from erc_bench.board.transfer import build_matrices
from erc_bench.data.skeleton import write_skeleton
from erc_bench.inspection.verify_transfer import verify_transfer


def test_files_are_those_of_all_systems_or_of_one(home: Path, tmp_path: Path) -> None:
    corpus, results = tmp_path / "mine", tmp_path / "results"
    write_skeleton(corpus)
    assert verify_transfer(tmp_path, [tmp_path]) == (0, [])
    for system in ("lookup", "prior"):
        erc_bench.run(system, dataset=corpus, train_on="sample", results_dir=results)
    write_matrices(build_matrices(results)[0], results, ("md", "csv", "html"))
    write_matrices(build_matrices(results, system="prior")[0], tmp_path / "part", ("csv",))
    assert verify_transfer(results, [results, tmp_path / "part"]) == (4, [])
    table = tmp_path / "part" / "transfer.csv"
    table.write_text(table.read_text().replace("prior", "posterior"))
    count, (difference,) = verify_transfer(results, [tmp_path / "part"])
    assert (count, difference.where) == (1, table)
