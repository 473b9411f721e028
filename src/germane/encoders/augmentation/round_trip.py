"""Into another language and back: the same, said otherwise."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from ...component import Options
from ...data.fetch import cache_folder
from ...errors import ConfigError
from .base import Augmenter

__all__ = ["RoundTrip", "RoundTripOptions", "Translator"]

Translator = Callable[[list[str]], list[str]]
"""Texts -> as many texts."""
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_log = logging.getLogger(__name__)


class RoundTripOptions(Options):
    there: str = "apertium -u -f line eng-spa"
    """What translates: a command that reads texts, one a line, and writes them so; or ``"module:function"``, which gets a list and gives one."""
    back: str = "apertium -u -f line spa-eng"
    """What translates back, likewise."""
    share: float = Field(default=0.5, gt=0, le=1)
    """Of the texts."""

    @field_validator("there", "back")
    @classmethod
    def _is_a_command_or_a_function(cls, value: str) -> str:
        try:
            words = shlex.split(value)
        except ValueError:
            words = []
        if not words:
            raise ValueError('should be a command such as "apertium -u -f line eng-spa", or "module:function"')
        return value


class RoundTrip(Augmenter):
    """Translate some texts and translate them back: the strongest rewording offline, and the slowest, so each text is translated once and kept.

    The default needs Debian's ``apertium-eng-spa`` (English); any other translator serves by a command or a function. Commands run as they are
    written, without a shell. What was translated lies in the cache folder, by the two translators' names.

    Source: Sennrich et al. 2016, Improving Neural Machine Translation Models with Monolingual Data; as a paraphrase Yu et al. 2018, QANet.
    """

    options: RoundTripOptions

    def missing(self) -> str | None:
        for said in (self.options.there, self.options.back):
            if FUNCTION.fullmatch(said):
                try:
                    _function(said)
                except ConfigError as error:
                    return str(error)
            elif shutil.which(shlex.split(said)[0]) is None:
                return f"RoundTrip: the program {shlex.split(said)[0]!r} is not here: install Debian's apertium-eng-spa, or name another translator."
        return None

    def vary(self, texts: list[str], rng: np.random.Generator) -> list[str]:
        chosen = rng.random(len(texts)) < self.options.share
        said = self._returned([text for text, is_chosen in zip(texts, chosen, strict=True) if is_chosen])
        return [said[text] if is_chosen else text for text, is_chosen in zip(texts, chosen, strict=True)]

    def _returned(self, texts: Sequence[str]) -> dict[str, str]:
        """Each text as it comes back; one that is lost on the way stays as it was."""
        lacking = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if lacking:
            reason = self.missing()
            if reason is not None:
                raise ConfigError(reason)
            lines = [" ".join(text.split()) for text in lacking]
            came_back = _translated(self.options.back, _translated(self.options.there, lines))
            self._kept.update((text, " ".join(back.split()) or text) for text, back in zip(lacking, came_back, strict=True))
            self._keep()
        return {text: self._kept[text] for text in texts}

    @cached_property
    def _file(self) -> Path | None:
        """None where nothing can be written."""
        name = hashlib.sha256(json.dumps([self.options.there, self.options.back]).encode()).hexdigest()[:16]
        try:
            folder = cache_folder() / "round_trips"
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _log.warning("There is no cache folder (%s), so translations are not kept.", error)
            return None
        return folder / f"{name}.json"

    @cached_property
    def _kept(self) -> dict[str, str]:
        try:
            found: Any = json.loads(self._file.read_text(encoding="utf-8")) if self._file is not None else {}
        except (OSError, ValueError):
            found = {}  # not there yet, or torn: translated again
        return {str(text): str(back) for text, back in found.items()} if isinstance(found, dict) else {}

    def _keep(self) -> None:
        if self._file is None:
            return
        new = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        try:
            new.write_text(json.dumps(self._kept, ensure_ascii=False), encoding="utf-8")
            os.replace(new, self._file)
        except OSError as error:
            _log.warning("%s cannot be written (%s), so translations are not kept.", self._file, error)


def _translated(said: str, texts: list[str]) -> list[str]:
    if FUNCTION.fullmatch(said):
        found = list(_function(said)(texts))
    else:
        done = subprocess.run(shlex.split(said), input="\n".join(texts) + "\n", capture_output=True, text=True, encoding="utf-8", check=False)
        if done.returncode:
            told = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[0]
            raise ConfigError(f"RoundTrip: {said!r} failed ({told}): name a translator that reads texts, one a line, and writes them so.")
        found = done.stdout.removesuffix("\n").split("\n")
    if len(found) != len(texts):
        raise ConfigError(f"RoundTrip: {said!r} made {len(found)} texts of {len(texts)}: it should write one line for each line that it reads.")
    return [str(text) for text in found]


def _function(said: str) -> Translator:
    module, _, name = said.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"RoundTrip: {said!r}: {error}. Write module:function of something that can be imported.") from None
    if not callable(found):
        raise ConfigError(f"RoundTrip: {said!r} is not a function.")
    translator: Translator = found
    return translator
