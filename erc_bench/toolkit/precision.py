"""Sentence encoders in bfloat16, where the machine computes it natively: half the memory to move, twice the arithmetic."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

__all__ = [
    "Precision",
    "in_bf16",
    "native_precision",
]

Precision = Literal["bf16", "float32"]

CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86 twice, and ARM
CPU_INFO = Path("/proc/cpuinfo")
SHORT_ATTENTION = "erc_bench_short"


@lru_cache(1)
def native_precision() -> Precision:
    """The fastest arithmetic of this machine: "bf16" where processor or accelerator compute it natively, else "float32"."""
    if _cpu_flags() & CPU_FLAGS:
        return "bf16"
    import torch

    native = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if native else "float32"


def _cpu_flags() -> set[str]:
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return set()
    found = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return set(next(found, "").split())


def in_bf16(model: SentenceTransformer) -> SentenceTransformer:
    """The encoder with its Transformer in bfloat16, for batches without padding; pooling and what follows stay float32.

    On the CPU linear layers keep their weights in the layout that oneDNN computes with, GELU is part of them, and
    attention is two plain products: at ten to thirty tokens a text that is faster than the kernels for long ones.
    """
    transformer: Any = model[0]
    transformer.bfloat16()
    transformer.register_forward_hook(_tokens_as_float32)
    if model.device.type == "cpu":
        _use_packed_layers(transformer)
        _use_short_attention(transformer.auto_model)
    return model


def _use_short_attention(inner: Any) -> None:
    import transformers

    interface: Any = getattr(transformers, "AttentionInterface", None)  # not in versions before it
    if interface and getattr(inner, "_supports_attention_backend", False) and hasattr(inner, "set_attn_implementation"):
        interface.register(SHORT_ATTENTION, _short_attention)
        inner.set_attn_implementation(SHORT_ATTENTION)


def _tokens_as_float32(_: torch.nn.Module, __: Any, features: dict[str, Any]) -> dict[str, Any]:
    return features | {"token_embeddings": features["token_embeddings"].float()}


def _short_attention(
    _: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    __: torch.Tensor | None,
    *,
    scaling: float,
    **___: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over all tokens, bfloat16 (texts, tokens, heads, dim), in the form that transformers asks for."""
    weights = (query * scaling).matmul(key.transpose(-1, -2)).softmax(-1)
    return weights.matmul(value).transpose(1, 2).contiguous(), None


def _use_packed_layers(transformer: torch.nn.Module) -> None:
    import torch

    for module in list(transformer.modules()):
        for name, layer in list(module.named_children()):
            if not isinstance(layer, torch.nn.Linear):
                continue
            activation = getattr(module, "intermediate_act_fn", None)
            gelu = _is_exact_gelu(activation)
            setattr(module, name, _packed(layer, gelu=gelu))
            if gelu:
                module.intermediate_act_fn = torch.nn.Identity()


def _is_exact_gelu(activation: Any) -> bool:
    import torch
    from transformers.activations import GELUActivation

    exact = isinstance(activation, torch.nn.GELU) and activation.approximate == "none"
    return exact or isinstance(activation, GELUActivation)


def _packed(layer: torch.nn.Linear, *, gelu: bool) -> torch.nn.Module:
    """A linear layer, and GELU after it if asked, with the weights in oneDNN's own layout: bfloat16 in and out."""
    import torch

    kernels = torch.ops.mkldnn
    if not (hasattr(kernels, "_reorder_linear_weight") and hasattr(kernels, "_linear_pointwise")):
        return torch.nn.Sequential(layer, torch.nn.GELU()) if gelu else layer  # a build of torch without oneDNN

    class PackedLinear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with torch.inference_mode():
                self.weight = kernels._reorder_linear_weight(layer.weight.detach(), None)
            self.bias = None if layer.bias is None else layer.bias.detach()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            after: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")
            result: torch.Tensor = kernels._linear_pointwise(x, self.weight, self.bias, *after)
            return result

    return PackedLinear()
