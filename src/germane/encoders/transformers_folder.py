"""A folder as transformers reads and writes it, without its bars and reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["hushed", "quiet", "read_tokenizer", "write_folder"]


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


def write_folder(model: Any, folder: Path, base: Path) -> None:
    """``model`` as safetensors, with the tokenizer of the folder that it came from."""
    with quiet():
        model.save_pretrained(folder)
        read_tokenizer(base).save_pretrained(folder)
