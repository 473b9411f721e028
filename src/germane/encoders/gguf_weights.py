"""A decoder that travels as gguf, made into a folder that loads in a moment: its weights unpacked to float32 safetensors, once."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

from ..data.fetch import cache_folder
from ..errors import ConfigError, FetchError

__all__ = ["converted"]

_WEIGHTS, _SAID = "model.safetensors", "unpacked.json"


def converted(gguf: Path, name: str) -> Path:
    """The folder ``weights/NAME-unpacked`` of the cache, made where it is not there. Its weights are hash checked against what was unpacked."""
    folder = cache_folder() / "weights" / f"{name}-unpacked"
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".unpacking-") as work:
            whole = Path(work) / "whole"
            _unpack(gguf, whole, name)
            try:
                os.replace(whole, folder)
            except OSError:  # somebody else was faster
                if not folder.is_dir():
                    raise
    from .weights import weights_hash

    weights, said = folder / _WEIGHTS, folder / _SAID
    try:
        fits = json.loads(said.read_text(encoding="utf-8"))[_WEIGHTS] == weights_hash(weights)
    except (OSError, ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise FetchError(f"The weights of {name} in {folder} are damaged. Delete that folder: they are unpacked again from {gguf}.")
    return folder


def _unpack(gguf: Path, folder: Path, name: str) -> None:
    try:
        importlib.import_module("gguf")  # transformers reads it through this
    except ModuleNotFoundError:
        raise ConfigError(f"{name} travels as gguf, which the package gguf reads: pip install 'germane[gguf]'.") from None
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from .weights import weights_hash

    print(f"Unpacking {name}, once; it takes half a minute.", file=sys.stderr)
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
        packed = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True, dtype=torch.float32)
        if hasattr(packed.config, "quantization_config"):
            del packed.config.quantization_config  # it says gguf; what is saved is no longer
        plain = AutoModelForCausalLM.from_config(packed.config)  # one that came out of gguf cannot be saved
        plain.load_state_dict(packed.state_dict())
        tokenizer.save_pretrained(folder)
        plain.save_pretrained(folder)
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
    (folder / _SAID).write_text(json.dumps({"from": gguf.name, _WEIGHTS: weights_hash(folder / _WEIGHTS)}), encoding="utf-8")
