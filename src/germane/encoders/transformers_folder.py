"""A folder as transformers reads and writes it, without its bars and reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..errors import ConfigError

__all__ = ["hushed", "most_tokens", "quiet", "read_folder", "read_tokenizer", "write_folder"]

BESIDE = "tokenizer.save_pretrained(folder) writes the model's own beside the weights"


@contextmanager
def hushed() -> Iterator[None]:
    """Libraries keep to themselves which of their kernels are not for this machine."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers says errors only: what a head lacks, or a body has too much, is no news here."""
    from transformers.utils import logging as told

    level, bar = told.get_verbosity(), told.is_progress_bar_enabled()
    told.set_verbosity_error()
    told.disable_progress_bar()
    try:
        with hushed():
            yield
    finally:
        told.set_verbosity(level)
        if bar:
            told.enable_progress_bar()


def read_tokenizer(folder: Path) -> Any:
    """As it is, with no setting of ours."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def read_folder(kind: Any, folder: Path, tokens: Path, **said: Any) -> tuple[Any, Any, set[str]]:
    """Tokenizer and model, by a class such as ``AutoModel``, and the names of what its head lacks.

    An error where weights of the body are missing or of another size, which transformers would draw at random: all but a pooler, which nothing reads.
    """
    import torch

    try:
        with quiet(), torch.random.fork_rng(devices=[]):  # a missing pooler is drawn: whether this is read must not move what is drawn elsewhere
            tokenizer = _whole_tokenizer(tokens)
            how = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
            model, told = kind.from_pretrained(folder, **how, **said)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise _broken(folder, str(error).strip().split("\n")[0]) from None
    if told["mismatched_keys"]:
        name, found, wanted = min(told["mismatched_keys"])
        raise _broken(folder, f"its weights hold {name} in the size {list(found)}, and its config.json asks for {list(wanted)}.")
    before = "" if model.base_model is model else f"{model.base_model_prefix}."
    missing = set(told["missing_keys"])
    body = {before + name for name, _ in model.base_model.named_parameters() if "pooler" not in name.split(".")}
    if lacking := sorted(body & missing):
        raise _broken(folder, f"its weights lack {lacking[0]}{f' and {len(lacking) - 1} more' if len(lacking) > 1 else ''}.")
    tokenizer.padding_side = "right"  # places count from the first token, in decoders too
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    _check_tokens(tokenizer, model, tokens)
    return tokenizer, model, missing - body


def _whole_tokenizer(folder: Path) -> Any:
    """An error where there is none: transformers would make one that knows no words."""
    try:
        tokenizer = read_tokenizer(folder)
    except Exception as error:  # the tokenizers library has no class of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(" :.")
        raise _broken(folder, f"its tokenizer is missing or cannot be read ({reason}); {BESIDE}") from None
    if len(tokenizer.get_vocab()) <= len(tokenizer.all_special_ids):
        raise _broken(folder, f"it holds no tokenizer; {BESIDE}")
    return tokenizer


def _check_tokens(tokenizer: Any, body: Any, folder: Path) -> None:
    """An error where texts may hold tokens that the model has no vector for. Marks of pictures and sounds may well be beyond: no text becomes one."""
    known = getattr(body.config.get_text_config(), "vocab_size", None)
    largest = max(tokenizer.vocab_size - 1, tokenizer.pad_token_id or 0, *tokenizer("a")["input_ids"])
    if known is not None and largest >= known:
        raise _broken(folder, f"its tokenizer has tokens up to number {largest}, and its model knows those below {known}; {BESIDE}")


def _broken(folder: Path, reason: str) -> ConfigError:
    return ConfigError(f"The language model in {folder} cannot be loaded: {reason.rstrip('.')}. Fetch or save it anew, or choose another model.")


def write_folder(model: Any, folder: Path, base: Path) -> None:
    """``model`` as safetensors, with the tokenizer of the folder that it came from."""
    with quiet():
        model.save_pretrained(folder)
        read_tokenizer(base).save_pretrained(folder)


def most_tokens(body: Any, tokenizer: Any, asked: int) -> int:
    """Of a text at most: ``asked``, or as many as the tokenizer and the positions of ``body`` allow."""
    from torch import nn

    places = getattr(body.config, "max_position_embeddings", None) or asked
    for name, table in body.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding) and table.padding_idx is not None:
            places = min(places, table.num_embeddings - table.padding_idx - 1)  # of RoBERTa's kind: a token's position begins behind padding's
    return int(min(asked, tokenizer.model_max_length, places))
