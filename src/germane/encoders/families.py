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
_MODES: dict[str, Pooling] = {"mean": "mean", "mean_sqrt_len": "mean", "cls": "cls", "lasttoken": "last"}
"""Of sentence-transformers, in its newer spelling less ``_tokens``. Vectors have unit length, so it is all the same what a sum is divided by."""
_KEYS: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}


@dataclass(frozen=True)
class Family:
    """How a family of models was trained to be read; what an option leaves open is taken from here."""

    kind: Literal["encoder", "decoder"]
    """Whether each token sees all others, or only those before it."""
    pooling: Pooling = "mean"
    item_prefix: str = ""
    words_prefix: str = ""


def family_of(folder: Path, name: str, pooling: Pooling | None = None) -> Family:
    """From the model's config, from the files that sentence-transformers puts beside it, and, for e5, from its name. A ``pooling`` that is said
    counts more than these.

    Mean over the tokens unless the folder says otherwise, for decoders too: their last token was trained to foresee the next one, not to stand for
    the text. benchmarks/backbones.py measures both.
    """
    kind = _kind(folder)
    own = pooling or _pooling(folder / "1_Pooling" / "config.json")
    prompts = _prompts(folder / "config_sentence_transformers.json")
    item, words = next((prompts[key] for key in ("passage", "document") if prompts.get(key)), ""), prompts.get("query") or ""
    if not (item or words) and _E5.search(name):
        item, words = "passage: ", "query: "
    return Family(kind, own, item, words)


def write_family(family: Family, folder: Path) -> None:
    """Beside a model, what ``family_of`` reads there: pooling and prefixes, in the files of sentence-transformers."""
    (folder / "1_Pooling").mkdir(exist_ok=True)
    modes = {key: pooling == family.pooling for key, pooling in _KEYS.items()}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(modes, indent=1), encoding="utf-8")
    prompts = {"document": family.item_prefix, "query": family.words_prefix}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}, indent=1), encoding="utf-8")


def read_json(file: Path) -> dict[str, Any]:
    """A model's ``config.json``; what is not JSON, or no object, is one sentence."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON ({error}): the language model cannot be loaded.") from None
    if not isinstance(said, dict):
        raise ConfigError(f"{file} holds no JSON object: the language model cannot be loaded.")
    return said


def _beside(file: Path) -> dict[str, Any]:
    return read_json(file) if file.is_file() else {}


def _pooling(file: Path) -> Pooling:
    """A mode, several that are put side by side, or, as it was written before, a truth value for each."""
    said = _beside(file)
    modes = said.get("pooling_mode") or [key.removeprefix("pooling_mode_") for key, on in said.items() if key.startswith("pooling_mode_") and on]
    names = [str(mode) for mode in (modes if isinstance(modes, list) else [modes])]
    found = [_MODES.get(name.removesuffix("_tokens").removesuffix("_token")) for name in names or ["mean"]]
    if len(found) > 1 or found[0] is None:
        raise ConfigError(
            f"{file} asks for the pooling {' and '.join(names)}, and there are mean, cls and last: say one of them, such as [text] pooling = "
            '"mean", or choose another model.'
        )
    return found[0]


def _prompts(file: Path) -> dict[str, str]:
    said = _beside(file).get("prompts") or {}
    if not isinstance(said, dict) or not all(isinstance(prompt, str | None) for prompt in said.values()):
        raise ConfigError(f"{file} holds prompts that are no table of texts: the language model cannot be loaded.")
    return said


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
