"""A language model with the head that guesses words: what the ones that come without it lack to be pretrained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .transformers_folder import most_tokens, read_folder, write_folder

__all__ = ["WordHead", "guesses"]


def guesses(folder: Path) -> str | None:
    """How a language model of this kind guesses words: ``masked`` (from both sides), ``causal`` (from those before), or not at all."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder / 'config.json'} cannot be read ({error}): the language model cannot be loaded.") from None
    kind = about.get("model_type")
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not about.get("is_decoder"):  # most of these can be made causal, and were not trained so
        return "masked"
    return "causal" if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else None


class WordHead(nn.Module):
    """A transformer with a head over its vocabulary: the folder's own where it has one, else a fresh one, whose last layer is the embeddings."""

    def __init__(self, folder: Path, max_tokens: int, seed: int) -> None:
        super().__init__()
        self.folder, self.causal = folder, guesses(folder) == "causal"
        torch.manual_seed(seed)  # of a fresh head
        self.tokenizer, self.model, self.fresh = _load(folder, self.causal)
        if self.fresh and (last := self.model.get_output_embeddings()) is not None:
            last.weight = self.model.get_input_embeddings().weight
            self.model.config.tie_word_embeddings = True
        self.limit = most_tokens(self.model, self.tokenizer, max_tokens)
        """Tokens of a text at most."""

    @property
    def body(self) -> Any:
        """All but the head."""
        return self.model.base_model

    def own(self) -> list[nn.Parameter]:
        """The head's parameters that are none of the body's; empty where it is the embeddings and nothing else."""
        inside = {id(parameter) for parameter in self.body.parameters()}
        return [parameter for parameter in self.model.parameters() if id(parameter) not in inside]

    def begin_with(self, counts: Tensor) -> None:
        """Let a fresh head guess by ``counts`` [vocabulary] from the start, where it has a bias: steps are not spent on learning frequencies."""
        bias = getattr(self.model.get_output_embeddings(), "bias", None)
        if self.fresh and isinstance(bias, nn.Parameter):
            with torch.no_grad():
                bias[: len(counts)] = ((counts + 0.1) / (counts + 0.1).sum()).log()

    def forward(self, tokens: dict[str, Tensor], places: Tensor) -> Tensor:
        """``places`` [texts, tokens] bool, P of them -> scores [P, vocabulary]. Other places never reach the head, which costs most."""

        def chosen(module: nn.Module, given: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[places].unsqueeze(0)  # [1, P, width]
            return output

        hook = self.body.register_forward_hook(chosen)
        try:
            scores: Tensor = self.model(**tokens).logits[0]
        finally:
            hook.remove()
        return scores

    def save(self, folder: Path) -> None:
        """Body, head and tokenizer; ``AutoModel`` reads the body, ``AutoModelForMaskedLM`` and ``AutoModelForCausalLM`` both."""
        write_folder(self.model, folder, self.folder)


def _load(folder: Path, causal: bool) -> tuple[Any, Any, bool]:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind: Any = AutoModelForCausalLM if causal else AutoModelForMaskedLM
    tokenizer, model, lacks = read_folder(kind, folder, folder, dtype=torch.float32, attn_implementation="sdpa")
    return tokenizer, model, bool(lacks)
