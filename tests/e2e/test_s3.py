"""Run records in a bucket of a real server that speaks S3, made on two machines that share no folder: `make test-ray`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from erc_bench.records.record import find_runs
from erc_bench.running.cluster import LOCAL_ENVIRONMENT

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("ray", "s3fs", "moto", "flask_cors")),
        reason="needs Ray, s3fs and moto: make test-ray installs them",
    ),
]
COMMAND = [sys.executable, "-c", "from erc_bench.cli import main; main()"]
URL = "s3://erc-bench-results/sweep"


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """How every process reaches the server; the variables are those of all tools that speak S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "OMP_NUM_THREADS": "1",
            **LOCAL_ENVIRONMENT,
        }.items():
            patch.setenv(name, value)
        yield dict(os.environ)
    server.stop()


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two machines, each with a home of its own."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            patch.setenv("ERC_BENCH_HOME", str(tmp_path_factory.mktemp("home")))
            cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    yield cluster
    cluster.shutdown()


def run(environment: dict[str, str], home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=home,
        env=environment | {"ERC_BENCH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def in_bucket() -> set[str]:
    import s3fs

    fs = s3fs.S3FileSystem(use_listings_cache=False)
    return {path.removeprefix("erc-bench-results/sweep/") for path in fs.find("erc-bench-results/sweep")}


def test_runs_of_a_cluster_go_to_the_bucket_and_are_read_from_it(
    cluster: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    import s3fs

    s3fs.S3FileSystem().mkdir("erc-bench-results")
    here = tmp_path / "here"
    here.mkdir()
    sweep = ["run", "--dataset", "sample", "--system", "prior", "--system", "tfidf-logreg", "--seeds", "0-2"]
    on_ray = [*sweep, "--executor", "ray", "--address", cluster.address, "--results-dir", URL]
    done = run(environment, here, *on_ray)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"(complete, {URL}/sample/") == 6
    assert len([path for path in in_bucket() if path.endswith("/run.json")]) == 6
    assert not list((here / "cache").glob("buckets/*/sample/*/*/*/run.json")), "made and kept on the other machines"

    local = run(environment, here, *sweep)
    assert local.returncode == 0, local.stderr
    board = run(environment, here, "leaderboard", "--results-dir", URL, "--output-dir", "board", "--dataset", "sample")
    assert board.returncode == 0, board.stderr
    of_folder = run(environment, here, "leaderboard", "--output-dir", "other", "--dataset", "sample")
    assert of_folder.returncode == 0, of_folder.stderr
    (copy,) = (here / "cache" / "buckets").iterdir()
    alone, spread = list(find_runs(here / "results")), list(find_runs(copy))
    assert len(spread) == 6
    for one, another in zip(alone, spread, strict=True):
        assert (one.folder / "predictions.jsonl").read_bytes() == (another.folder / "predictions.jsonl").read_bytes()
        assert one.record.scores == another.record.scores
    verified = run(environment, here, "verify", "--results-dir", URL)
    assert verified.returncode == 0, verified.stderr
    assert "--output-dir must name a folder" in run(environment, here, "leaderboard", "--results-dir", URL).stderr

    again = run(environment, here, *on_ray, "--json")
    assert again.returncode == 0, again.stderr
    assert {each["already_complete"] for each in json.loads(again.stdout)} == {True}
    planned = json.loads(run(environment, here, *sweep, "--results-dir", URL, "--dry-run", "--json").stdout)
    assert {each["state"] for each in planned} == {"complete"}


def test_a_bucket_that_is_not_there_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(
        environment, tmp_path, "run", "--dataset", "sample", "--system", "prior", "--results-dir", "s3://nowhere/x"
    )
    assert done.returncode == 3
    assert "s3://nowhere/x must be readable and writable" in done.stderr
    assert "Running" not in done.stderr, "it is named before any work"
    unreachable = environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"}
    done = run(unreachable, tmp_path, "leaderboard", "--results-dir", URL, "--output-dir", "board")
    assert done.returncode == 3
    assert f"{URL} must be readable and writable, got EndpointConnectionError" in done.stderr
