"""A folder as transformers reads and writes it, without its bars and reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["quiet", "read_tokenizer", "write_folder"]


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers says errors only: what a head lacks, or a body has too much, is no news here."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def read_tokenizer(folder: Path) -> Any:
    """As it is, with no setting of ours."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def write_folder(model: Any, folder: Path, base: Path) -> None:
    """``model`` as safetensors, with the tokenizer of the folder that it came from."""
    with quiet():
        model.save_pretrained(folder)
        read_tokenizer(base).save_pretrained(folder)
