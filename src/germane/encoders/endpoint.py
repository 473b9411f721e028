"""Vectors from a model behind an API: any endpoint of the form ``/v1/embeddings``."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from ..component import Options
from ..data.fetch import cache_folder
from ..errors import ConfigError, FetchError
from .base import Encoder
from .endpoint_client import EndpointClient, NotSentError, check_key, check_url

__all__ = ["EndpointText", "EndpointTextOptions"]


class EndpointTextOptions(Options):
    url: str
    """Where texts are posted to, such as ``https://host/v1/embeddings``."""
    model: str = Field(min_length=1)
    """The model's name there."""
    key: str | None = None
    """``"env:NAME"``: the environment variable that holds the key. The key itself stands in no config, no log and no run."""
    width: int | None = Field(default=None, ge=1, le=1 << 16)
    """Length of its vectors; absent: one text is sent to find out, once."""
    batch: int = Field(default=64, ge=1, le=2048)
    """Texts of a request."""
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds that a request may take."""
    budget: int = Field(default=10_000, ge=1)
    """Texts that one run may send; more are refused before any of them is sent."""


class EndpointText(Encoder):
    """Unit-length vectors from an embeddings endpoint: POST ``{"model", "input": [...]}``, answer ``data[i].embedding``. Frozen.

    For models that exist only behind an API; texts leave the machine, and what is sent may cost money, hence the budget. What was fetched is kept on
    disk by content and not sent again. Prefer ``PretrainedText`` wherever its models will do: it is private, free and does not change overnight.

    >>> EndpointText(url="https://example.org/v1/embeddings", model="large", key="env:EXAMPLE_KEY", width=1024).width
    1024
    """

    options: EndpointTextOptions

    def __init__(self, **given: Any) -> None:
        key, url = given.get("key"), given.get("url")
        check_key(key if key is None or isinstance(key, str) else "")
        if isinstance(url, str):
            check_url(url, key)
        super().__init__(**given)
        said = self.options
        self._client = EndpointClient(said.url, said.model, said.key, said.timeout)
        self._lock = threading.Lock()
        self._width: int | None = None  # of the vectors of a saved run
        self.sent = 0
        """Texts that this run has sent so far."""

    @cached_property
    def width(self) -> int:
        if (known := self.options.width or self._width) is not None:
            return known
        with suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads(self._facts.read_text(encoding="utf-8"))["width"])
        width = len(self._ask(["width"])[0])
        with suppress(OSError):
            self._facts.parent.mkdir(exist_ok=True)
            self._facts.write_text(json.dumps({"width": width}), encoding="utf-8")
        return width

    def take_width(self, width: int) -> None:
        self._width = width

    @property
    def _facts(self) -> Path:
        return cache_folder() / "endpoints" / f"{hashlib.sha256(self.identity.encode()).hexdigest()[:32]}.json"

    @property
    def identity(self) -> str:
        return f"EndpointText url={self.options.url} model={self.options.model}"

    @property
    def is_remote(self) -> bool:
        return True

    @property
    def in_parallel(self) -> bool:
        return True

    @property
    def request(self) -> int:
        return self.options.batch

    def check_room(self, texts: Sequence[str]) -> None:
        with self._lock:
            self._check(len(_sent(texts)))

    def encode(self, texts: Sequence[str]) -> Tensor:
        wanted = _sent(texts)
        if not wanted:
            return torch.zeros(len(texts), self.width)
        width = self.width
        self.check_room(wanted)
        found: dict[str, list[float]] = {}
        for start in range(0, len(wanted), self.options.batch):
            some = wanted[start : start + self.options.batch]
            came = self._ask(some)
            if (wrong := next((len(vector) for vector in came if len(vector) != width), None)) is not None:
                said = f"gives vectors of {wrong} numbers for {self.options.model}, not {width}; set width."
                raise ConfigError(f"The endpoint {self._client.host} {said}")
            found |= dict(zip(some, came, strict=True))
        vectors = torch.tensor([found.get(text) or [0.0] * width for text in texts])
        if not torch.isfinite(vectors).all():
            raise FetchError(f"The endpoint {self._client.host} gave vectors with numbers that are not finite.")
        return functional.normalize(vectors, dim=1)

    def _ask(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector a text. They count while they are on their way, since others may send meanwhile, and after that where they left."""
        with self._lock:
            self._check(len(texts))
            self.sent += len(texts)
        try:
            return self._client.ask(texts)
        except (NotSentError, ConfigError):  # nobody there, or no key
            with self._lock:
                self.sent -= len(texts)
            raise

    def _check(self, texts: int) -> None:
        left = self.options.budget - self.sent
        if texts > left:
            raise ConfigError(
                f"{texts:,} texts are to be sent to {self._client.host} and {left:,} are left of budget = {self.options.budget:,}: "
                f"nothing was sent. Raise budget in [text], or choose an encoder that runs here."
            )


def _sent(texts: Sequence[str]) -> list[str]:
    """What there is to send of them, each once."""
    return list(dict.fromkeys(text for text in texts if text.strip()))
