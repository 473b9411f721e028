"""What a language model's own files say of how its vectors are to be made: encoder or decoder, pooling, prefixes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError

__all__ = ["Family", "Pooling", "family_of", "read_json", "write_family"]

Pooling = Literal["mean", "cls", "last"]

_E5 = re.compile(r"(^|[-_/])e5[-_](small|base|large|mistral)", re.IGNORECASE)
_MODES = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}


@dataclass(frozen=True)
class Family:
    """How a family of models was trained to be read; what an option leaves open is taken from here."""

    kind: Literal["encoder", "decoder"]
    """Whether each token sees all others, or only those before it."""
    pooling: Pooling = "mean"
    item_prefix: str = ""
    words_prefix: str = ""


def family_of(folder: Path, name: str) -> Family:
    """From the model's config, from the files that sentence-transformers puts beside it, and, for e5, from its name.

    Mean over the tokens unless the folder says otherwise, for decoders too: their last token was trained to foresee the next one, not to stand for
    the text. benchmarks/backbones.py measures both.
    """
    kind = _kind(folder)
    own = next((pooling for key, pooling in _MODES.items() if _beside(folder / "1_Pooling" / "config.json").get(key)), "mean")
    prompts = _beside(folder / "config_sentence_transformers.json").get("prompts") or {}
    item, words = next((prompts[key] for key in ("passage", "document") if prompts.get(key)), ""), prompts.get("query") or ""
    if not (item or words) and _E5.search(name):
        item, words = "passage: ", "query: "
    return Family(kind, own, item, words)  # type: ignore[arg-type]


def write_family(family: Family, folder: Path) -> None:
    """Beside a model, what ``family_of`` reads there: pooling and prefixes, in the files of sentence-transformers."""
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modes = {key: pooling == family.pooling for key, pooling in _MODES.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes, indent=1), encoding="utf-8")
    prompts = {"document": family.item_prefix, "query": family.words_prefix}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}, indent=1), encoding="utf-8")


def read_json(file: Path) -> dict[str, Any]:
    """A model's ``config.json``; what is not JSON is one sentence."""
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON ({error}): the language model cannot be loaded.") from None


def _beside(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _kind(folder: Path) -> Literal["encoder", "decoder"]:
    about = read_json(folder / "config.json")
    heads = " ".join(about.get("architectures") or ())
    if about.get("is_encoder_decoder"):
        raise ConfigError(f"The model in {folder} is an encoder with a decoder ({heads or about.get('model_type')}); choose one that is either.")
    if re.search(r"ForCausalLM|LMHeadModel", heads) or about.get("is_decoder"):
        return "decoder"
    if re.search(r"ForMaskedLM|Bert|Roberta", heads):
        return "encoder"
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

    named = about.get("model_type")
    return "decoder" if named in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and named not in MODEL_FOR_MASKED_LM_MAPPING_NAMES else "encoder"
