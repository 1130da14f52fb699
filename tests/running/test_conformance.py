from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from erc_bench.contract.domain import Dialogue, Target
from erc_bench.contract.registry import system_class, system_names
from erc_bench.contract.system import NoConfig, Prediction, System, SystemInfo
from erc_bench.progress import Progress
from erc_bench.running.conformance import CheckResult, check_system

# Systems whose check needs what a test machine does not have are declared here with the reason.
NOT_HERE: dict[str, str] = dict.fromkeys(
    ("llm", "llama2-7b", "llama2-13b", "falcon-7b", "smollm2-135m"),
    "needs a model server; tests/systems/llm/test_system.py checks the contract with a small one",
) | dict.fromkeys(
    ("sentemocontext-mpnet", "sentemocontext-roberta"),
    "needs weights that no package carries; tests/systems/sentemocontext/test_variants.py checks it with MiniLM",
)


@pytest.mark.parametrize("name", system_names())
def test_registered_systems_keep_the_contract(name: str) -> None:
    if name in NOT_HERE:
        pytest.skip(NOT_HERE[name])
    failed = [
        f"{result.name}: {result.reason}" for result in check_system(system_class(name)) if result.outcome == "failed"
    ]
    assert not failed


class Bad(System[NoConfig]):
    """Breaks most of the contract: answers depend on how many targets are asked, and one target is forgotten."""

    info = SystemInfo("bad", "", "nobody", "utterance", "CC0-1.0")

    def predict(
        self, dialogues: Sequence[Dialogue], targets: Sequence[Target], *, progress: Progress
    ) -> Iterator[Prediction]:
        for target in targets[:-1]:
            yield Prediction(*target, self.labels.names[len(targets) % 7], {"joy": 1.0})


def test_a_bad_system_is_found_out() -> None:
    results: list[CheckResult] = check_system(Bad)
    failed = {result.name: result.reason for result in results if result.outcome == "failed"}
    assert (
        failed["Info names the system, what it is, its reference and its licence"] == "info.summary must not be empty"
    )
    assert "answered" in failed["Predict answers every target once and nothing else"]
    assert "'joy'" in failed["Labels and scores name labels of the dataset only, or no usable answer (None)"]
    assert any("subset of targets" in name for name in failed)
