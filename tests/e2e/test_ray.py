"""A real Ray cluster of two machines on the loopback interface, one of which is lost: `make test-ray` sets it up."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erc_bench.records.record import find_runs, read_record
from erc_bench.running.cluster import LOCAL_ENVIRONMENT

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray: make test-ray installs it"),
]
COMMAND = [sys.executable, "-c", "from erc_bench.cli import main; main()", "run", "--dataset", "sample", "--offline"]
CRASHING = """
import os
import signal

from erc_bench import NoConfig, Prediction, System, SystemInfo


class Crashing(System[NoConfig]):
    info = SystemInfo("crashing", "its process dies once with seed 1, and each time with seed 2", "none", "utterance", "CC0-1.0")

    def predict(self, dialogues, targets, *, progress):
        seed, folder = self.runtime.seed, self.runtime.run_dir
        if folder and (seed == 2 or (seed == 1 and not (folder / "died").exists())):
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        for target in targets:
            yield Prediction(*target, self.labels.neutral)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every process of the cluster reads: caches, and a plug-in."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "crashing_system.py").write_text(CRASHING, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def environment(home: Path) -> Iterator[dict[str, str]]:
    changed = LOCAL_ENVIRONMENT | {"ERC_BENCH_HOME": str(home), "PYTHONPATH": str(home), "OMP_NUM_THREADS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changed.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        yield dict(os.environ)


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 * 2**20})
    yield cluster
    cluster.shutdown()


def running(results: Path) -> int:
    return sum(run.record.status == "running" for run in find_runs(results)) if results.is_dir() else 0


def test_the_runs_of_a_lost_machine_are_made_again(cluster: Any, environment: dict[str, str], tmp_path: Path) -> None:
    systems = ["--system", "sentemocontext", "--seeds", "0-3"]
    local = [*COMMAND, *systems, "--jobs", "2", "--results-dir", str(tmp_path / "local")]
    subprocess.run(local, env=environment, check=True, capture_output=True)

    other = cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    results = tmp_path / "shared"
    on_ray = [*COMMAND, *systems, "--executor", "ray", "--address", cluster.address, "--results-dir", str(results)]
    driver = subprocess.Popen(on_ray, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while running(results) < 2:  # one on each machine
        assert driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster.remove_node(other, allow_graceful=False)
    printed, shown = driver.communicate(timeout=600)
    assert driver.returncode == 0, shown
    assert "its machine was lost: the run is made again" in shown
    assert printed.count("(complete,") == 4
    assert {int(seed) for seed in re.findall(r"\[sentemocontext on sample, seed (\d)\]", shown)} == {0, 1, 2, 3}
    alone, spread = list(find_runs(tmp_path / "local")), list(find_runs(results))
    assert [run.record.seed for run in spread] == [0, 1, 2, 3]
    for one, another in zip(alone, spread, strict=True):
        assert another.record.status == "complete"
        names = {path.relative_to(one.folder) for path in one.folder.rglob("*") if path.is_file()}
        assert names == {path.relative_to(another.folder) for path in another.folder.rglob("*") if path.is_file()}
        for name in names - {Path("run.json"), Path("model/fit.json")}:  # times and memory
            assert (one.folder / name).read_bytes() == (another.folder / name).read_bytes(), name
    assert not [path for path in results.iterdir() if path.name.startswith(".")], "the mark of the folder is gone"


def test_a_process_that_dies_costs_its_own_run_only(
    cluster: Any, environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport erc_bench\nfrom crashing_system import Crashing\n"
        "runs = erc_bench.run(Crashing, dataset='sample', seeds=range(3), executor='ray', address=sys.argv[1])\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script), cluster.address], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert "SystemFailedError: crashing on sample, seed 2 failed 2 times: its process was lost" in done.stderr
    runs = {run.record.seed: run for run in find_runs(tmp_path / "results")}
    assert {seed: run.record.status for seed, run in runs.items()} == {0: "complete", 1: "complete", 2: "running"}
    assert read_record(runs[1].folder).predictions == 201


def test_a_cluster_of_this_machine_ends_with_the_command(environment: dict[str, str], tmp_path: Path) -> None:
    import psutil

    arguments = ["--system", "prior", "--seeds", "0-1", "--executor", "ray", "--jobs", "1", "--json"]
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert '"seed": 1' in done.stdout
    assert "Runs: 2/2" in done.stderr
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        left = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]
        if not left:
            break
        time.sleep(0.1)
    assert not left
