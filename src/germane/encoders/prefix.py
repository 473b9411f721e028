"""Trainable places that each layer of a language model attends to besides the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError
from .language_model import LanguageModel

__all__ = ["Prefix", "Prefixes"]

ATTENTION = "germane_prefix"


class Prefix(nn.Module):
    """Keys and values of one layer, for each head, and how much of what they say is added: nothing at the start.

    Source: Li and Liang 2021, Prefix-Tuning; that it is added by a gate from zero, beside the text's own attention, is Zhang et al. 2023
    (LLaMA-Adapter, arXiv 2303.16199).
    """

    def __init__(self, heads: int, places: int, width: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(heads, places, width) * width**-0.5)
        self.values = nn.Parameter(torch.randn(heads, places, width) * 0.02)
        self.gate = nn.Parameter(torch.zeros(heads, 1, 1))

    def forward(self, queries: Tensor) -> Tensor:
        """[texts, heads, tokens, width] -> [texts, tokens, heads, width] what is added to the attention's answer."""
        each = queries.shape[1] // len(self.keys)  # heads of queries that share one of keys
        keys, values = (part.repeat_interleave(each, 0).expand(len(queries), -1, -1, -1) for part in (self.keys, self.values))
        said = functional.scaled_dot_product_attention(queries, keys, values)
        return (torch.tanh(self.gate).repeat_interleave(each, 0) * said).transpose(1, 2)


class Prefixes:
    """Gives each attention of ``model`` a ``prefix``; ``remove`` takes them away.

    Works on all models that go through transformers' attention interface, encoders and decoders alike.
    """

    def __init__(self, model: LanguageModel, places: int, layers: Sequence[nn.Module] | None = None) -> None:
        """``layers``: only in these."""
        self.body = model.body
        self.before = self.body.config._attn_implementation
        _register()
        inside = {id(part) for layer in layers or [self.body] for part in layer.modules()}
        try:
            with _noticed() as met, torch.no_grad():
                self.body.set_attn_implementation(ATTENTION)
                model(model.tokens(["a"]))
        except ValueError:  # of an attention that is worked out in no other way, such as Gemma 2's
            met = []
        found = [(part, heads, width) for part, heads, width in met if id(part) in inside]
        self.attentions = [part for part, *_ in found]
        if not found:
            self.body.set_attn_implementation(self.before)
            raise ConfigError(
                f"[text] tuning = 'prefix': {type(self.body).__name__} has no attention that takes a prefix; choose top:N, full, lora or adapter."
            )
        for part, heads, width in found:
            part.add_module("prefix", Prefix(heads, places, width).to(next(part.parameters()).device))

    def remove(self) -> None:
        for part in self.attentions:
            del part.prefix
        self.body.set_attn_implementation(self.before)


_met: list[list[tuple[nn.Module, int, int]]] = []
"""Who wants to hear of the attentions that are gone through: each with its heads of keys and their width."""


@contextmanager
def _noticed() -> Iterator[list[tuple[nn.Module, int, int]]]:
    _met.append([])
    try:
        yield _met[-1]
    finally:
        _met.pop()


def _attend(module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **said: Any) -> tuple[Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **said)
    for met in _met:
        met.append((module, key.shape[1], key.shape[3]))
    prefix = getattr(module, "prefix", None)
    return (out if prefix is None else out + prefix(query)), None


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, _attend)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
