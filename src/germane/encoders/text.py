"""Vectors from a pretrained language model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ..component import Options
from ..errors import ConfigError
from .adaptation import Adaptation, adapt, check_tuning, fold, put
from .base import Encoder
from .language_model import LanguageModel, Pooling
from .learning import LearningTexts
from .weights import get_weights, known_weights, tensors_hash, weights_hash, weights_size

__all__ = ["PretrainedText", "PretrainedTextOptions"]


class PretrainedTextOptions(Options):
    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    """A name of ``germane weights list``, a folder with a model that transformers loads, or a name on the hub."""
    pooling: Pooling = "mean"
    """A text's vector is the mean over its tokens, or the first token's."""
    max_tokens: int = Field(default=64, ge=3, le=8192)
    """Longer texts are cut; time grows with it."""
    batch: int = Field(default=64, ge=1)
    """Texts that go through the model together."""
    tuning: str = "frozen"
    """What training may change of the language model: ``frozen``, nothing; ``top:2``, its two top layers; ``full``, all; ``lora``, ``adapter`` or
    ``prefix``: a few numbers put into it. docs/tuning.md says which when."""
    rank: int = Field(default=8, ge=1)
    """Of ``lora``: width of its thin matrices."""
    alpha: int = Field(default=16, ge=1)
    """Of ``lora``: what it adds counts alpha / rank times."""
    targets: tuple[str, ...] | str | None = None
    """Of ``lora``: names of the linear maps that it is added to, or ``"all-linear"``. Absent: those of query and value."""
    adapter_size: int = Field(default=32, ge=1)
    """Of ``adapter``: width of the narrow layer behind each layer."""
    prefix_places: int = Field(default=16, ge=1)
    """Of ``prefix``: places that each layer attends to besides the text."""
    fresh: int = Field(default=64, ge=1)
    """Texts of a training step that are encoded with gradients, where something learns; the others' vectors are those of the last epoch's end. What a
    step takes grows with it."""
    unfreeze: int = Field(default=0, ge=0)
    """Gradual unfreezing: epochs between a layer's beginning to learn and that of the one below it. 0: all that may learn does from the start."""

    @field_validator("tuning")
    @classmethod
    def _known_tuning(cls, value: str) -> str:
        return check_tuning(value)


class PretrainedText(Encoder):
    """Vectors of unit length from a language model: texts that mean the same meet, whatever their words.

    Reads a few hundred short texts a second on two cores, so wrap it in a ``VectorCache`` for a catalogue. Prefer ``HashedText``
    where spelling is all that counts or nothing may be downloaded. The model is loaded at the first ``encode`` and not before.

    >>> PretrainedText().width
    384

    Source: Reimers and Gurevych, Sentence-BERT, 2019.
    """

    options: PretrainedTextOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.tuned: dict[str, Tensor] = {}
        """What training changed, by its name in the transformer."""
        self._tokenizer: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the model's files lie; fetched first where they are not there."""
        return self._folder

    @cached_property
    def _folder(self) -> Path:
        given = Path(self.options.model).expanduser()
        if known_weights(self.options.model):
            return get_weights(self.options.model)
        if given.is_dir():
            if not (given / "config.json").is_file():
                raise ConfigError(f"The folder {given} holds no language model: there is no config.json in it.")
            if not any(given.glob("*.safetensors")):
                raise ConfigError(f"The folder {given} has no safetensors file; Germane reads no pickles. Save the model with save_pretrained.")
            return given
        if given.is_absolute() or self.options.model.startswith((".", "~")) or self.options.model.count("/") > 1 or "\\" in self.options.model:
            raise ConfigError(f"There is no folder {given}; model is a name of `germane weights list`, a folder, or a hub name such as owner/model.")
        return get_weights(self.options.model)

    @cached_property
    def width(self) -> int:
        if known := known_weights(self.options.model):
            return known.width
        file = self._folder / "config.json"
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{file} is not JSON ({error}): the language model cannot be loaded.") from None
        about = about.get("text_config", about)
        for name in ("hidden_size", "d_model", "n_embd", "dim"):
            if name in about:
                return int(about[name])
        raise ConfigError(f"The config.json in {self._folder} states no hidden_size, so the width of its vectors is unknown.")

    @cached_property
    def identity(self) -> str:
        if known := known_weights(self.options.model):
            files = known.sha256
        else:
            read = sorted(path for path in self._folder.iterdir() if path.suffix in {".json", ".txt", ".model", ".safetensors"})
            files = " ".join(f"{path.name}:{weights_hash(path)}" for path in read)
        tuned = f"{self.options.tuning} {tensors_hash(self.tuned)}" if self.tuned else "frozen"
        return f"PretrainedText pooling={self.options.pooling} max_tokens={self.options.max_tokens} tuning={tuned} files={files}"

    def encode(self, texts: Sequence[str]) -> Tensor:
        nothing = torch.zeros(len(texts), self.width)
        return self._model.encode(texts, self.options.batch) if any(text.strip() for text in texts) else nothing

    @cached_property
    def _model(self) -> LanguageModel:
        model = self._base()
        if self.tuned:
            adapt(model, self._adaptation)
            put(model.body, self.tuned)
            fold(model)
        return model.to("cuda" if torch.cuda.is_available() else "cpu")

    def _base(self) -> LanguageModel:
        return LanguageModel(self._folder, self.options.pooling, self.options.max_tokens, self._tokenizer)

    @property
    def _adaptation(self) -> Adaptation:
        o = self.options
        return Adaptation(o.tuning, o.rank, o.alpha, o.targets, o.adapter_size, o.prefix_places)

    # -- learning ------------------------------------------------------------------------------------------------

    @property
    def learns(self) -> bool:
        return self._adaptation.learns

    def learning(self, texts: Sequence[str]) -> LearningTexts | None:
        if not self.learns:
            return None
        o = self.options
        return LearningTexts(self._base(), self._adaptation, texts, fresh=o.fresh, batch=o.batch, unfreeze=o.unfreeze)

    def anew(self) -> PretrainedText:
        return PretrainedText(**self.settings())

    def untuned(self) -> PretrainedText:
        return PretrainedText(**{**self.settings(), "tuning": "frozen"})

    def state(self) -> dict[str, Tensor]:
        return self.tuned

    def load_state(self, state: dict[str, Tensor], tokenizer: Path | None = None) -> None:
        self.tuned, self._tokenizer = state, tokenizer
        for name in ("_model", "identity"):
            vars(self).pop(name, None)

    def save_tokenizer(self, folder: Path) -> None:
        self._model.tokenizer.save_pretrained(folder)

    @property
    def parameters(self) -> tuple[int, int]:
        known = known_weights(self.options.model)
        return known.parameters if known is not None else weights_size(self._folder), sum(tensor.numel() for tensor in self.tuned.values())
