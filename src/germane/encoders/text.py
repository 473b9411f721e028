"""Vectors from a pretrained language model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ..component import Options
from ..errors import ConfigError
from .adaptation import Adaptation, adapt, check_tuning, fold, put
from .augmentation import TextAugmentation, check_augment
from .base import Encoder
from .device import choose_device
from .families import Family, Pooling, family_of, read_json
from .language_model import ONE_AT_A_TIME, LanguageModel, Precision
from .learning import LearningTexts, behind
from .transformers_folder import read_tokenizer
from .weights import get_weights, known_weights, tensors_hash, weights_hash, weights_size

__all__ = ["PretrainedText", "PretrainedTextOptions"]


class PretrainedTextOptions(Options):
    model: str = Field(default="all-MiniLM-L6-v2", min_length=1)
    """A name of ``germane weights list``, a folder with a model that transformers loads (in a config relative to its own folder), or a name on the
    hub."""
    pooling: Pooling | None = None
    """A text's vector is the mean over its tokens, the first token's or the last one's; absent: what the model's files say, else the mean."""
    max_tokens: int = Field(default=64, ge=3, le=8192)
    """Longer texts are cut; time grows with it."""
    item_prefix: str | None = None
    """What stands before each item's text, such as ``"passage: "``; absent: what the model was trained with, of e5 and where its files say it."""
    words_prefix: str | None = None
    """The same before what users type, such as ``"query: "``."""
    precision: Precision = "float32"
    """Of the weights in memory: ``bf16`` and ``fp16`` take half, and on a CPU without units for them much more time; ``int8`` takes a quarter for
    linear maps, and two to three times the time. Vectors are float32."""
    memory: float | None = Field(default=None, gt=0)
    """Gigabytes that the weights may take of the CPU's memory, for models larger than it: the rest is read from disk layer by layer, each time."""
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
    """Of ``lora``: names of the linear maps that it is added to, or ``"all-linear"``. Absent: those of query and value, or what peft takes by default
    of the model's family."""
    adapter_size: int = Field(default=32, ge=1)
    """Of ``adapter``: width of the narrow layer behind each layer."""
    prefix_places: int = Field(default=16, ge=1)
    """Of ``prefix``: places that each layer attends to besides the text."""
    layers: int | None = Field(default=None, ge=1)
    """Of ``lora``, ``adapter`` and ``prefix``: how many layers, from the top, they are put into; absent: all."""
    states_memory: float = Field(default=1.0, ge=0)
    """Gigabytes in which training may keep what the layers below those that learn make of each text: with ``top:N`` or ``layers`` they are gone
    through once and not each time. 46 kB a text of 30 tokens with MiniLM."""
    fresh: int = Field(default=64, ge=1)
    """Texts of a training step that are encoded with gradients, where something learns; the others' vectors are those of the last pass over all.
    A step's time grows with it, its memory with ``batch``."""
    augment: tuple[str | dict[str, Any], ...] = ()
    """What says texts otherwise as they are encoded with gradients, against overfitting, in this order: names of classes, or tables of ``use`` and
    options, such as ``["Synonyms", {use = "TokenDropout", share = 0.2}]``. Absent: they are learnt from as they are."""
    refreshes: int = Field(default=1, ge=1)
    """How often an epoch all texts are encoded anew: more, where the language model moves far in one; each is a pass over the catalogue."""
    frozen_epochs: int | None = Field(default=None, ge=0)
    """Epochs in which the language model does not learn yet, and which take no longer than frozen ones: what begins at random finds its place first,
    and pulls nothing out of place. Absent: until validation has not become better for `[training] patience` epochs, half of them at most; it then
    learns from the best of them on. Patience counts anew from there."""
    unfreeze: int = Field(default=0, ge=0)
    """Gradual unfreezing: epochs between a layer's beginning to learn and that of the one below it. 0: all that may learn does so together."""

    @field_validator("tuning")
    @classmethod
    def _known_tuning(cls, value: str) -> str:
        return check_tuning(value)

    @field_validator("augment")
    @classmethod
    def _known_augmenters(cls, value: tuple[str | dict[str, Any], ...]) -> tuple[str | dict[str, Any], ...]:
        return check_augment(value)

    @field_validator("model")
    @classmethod
    def _is_read_here(cls, value: str) -> str:
        known = known_weights(value)
        if known is not None and known.use != "PretrainedText":
            raise ValueError(f'it is no transformer; use = "{known.use}" reads it')
        return value

    @model_validator(mode="after")
    def _what_can_learn(self) -> Self:
        if self.precision != "float32" and self.tuning not in ("frozen", "lora"):
            raise ValueError(f"of weights in {self.precision} only tuning = 'lora' learns, which keeps float32 numbers of its own")
        if self.layers is not None and self.tuning not in ("lora", "adapter", "prefix"):
            raise ValueError(f"layers is for tuning = 'lora', 'adapter' and 'prefix'; leave it out, or say tuning = 'top:{self.layers}'")
        if self.memory is not None and self.precision == "int8":
            raise ValueError("memory leaves layers on disk as they are: with precision = 'int8' say no memory")
        if self.augment and self.tuning == "frozen":
            raise ValueError("augment varies texts that something learns from: leave augment out, or choose another tuning than 'frozen'")
        if self.memory is not None and self.tuning != "frozen":
            raise ValueError("memory leaves layers on disk, where nothing can learn: leave memory out, or choose tuning = 'frozen'")
        return self


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
        self._device = "auto"

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
                raise ConfigError(
                    f"The folder {given} has no safetensors file; Germane reads no pickles. Save model and tokenizer with save_pretrained."
                )
            return given
        if given.is_absolute() or self.options.model.startswith((".", "~")) or self.options.model.count("/") > 1 or "\\" in self.options.model:
            raise ConfigError(f"There is no folder {given}; model is a name of `germane weights list`, a folder, or a hub name such as owner/model.")
        return get_weights(self.options.model)

    @cached_property
    def family(self) -> Family:
        """Encoder or decoder, with the pooling and the prefixes that are in force."""
        known, said = known_weights(self.options.model), self.options
        own = Family(known.kind) if known else family_of(self._folder, said.model, said.pooling)
        pooling = said.pooling or own.pooling
        if pooling == "cls" and own.kind == "decoder":
            raise ConfigError(f"{said.model} is a decoder: its first token has seen no other, so pooling is 'mean' or 'last', not 'cls'.")
        item, words = said.item_prefix, said.words_prefix
        return Family(own.kind, pooling, own.item_prefix if item is None else item, own.words_prefix if words is None else words)

    @cached_property
    def width(self) -> int:
        if known := known_weights(self.options.model):
            return known.width
        about = read_json(self._folder / "config.json")
        about = about.get("text_config", about)
        for name in ("hidden_size", "d_model", "n_embd", "dim"):
            if name in about:
                return int(about[name])
        raise ConfigError(f"The config.json in {self._folder} states no hidden_size, so the width of its vectors is unknown.")

    @property
    def identity(self) -> str:
        return self.identity_behind(self.family.item_prefix)

    def identity_behind(self, prefix: str) -> str:
        """The identity of ``encode_behind``."""
        said = self.options
        precision = f" precision={said.precision}" if said.precision != "float32" else ""
        marked = f" prefix={prefix!r}" if prefix else ""
        tuned, files = self._content
        made = f"pooling={self.family.pooling} max_tokens={said.max_tokens} tuning={tuned}{precision}{marked}"
        return f"PretrainedText {made} files={files}"

    @cached_property
    def _content(self) -> tuple[str, str]:
        """What was tuned, and the hashes of the files."""
        if known := known_weights(self.options.model):
            files = known.sha256
        else:
            read = sorted(path for path in self._folder.iterdir() if path.suffix in {".json", ".txt", ".model", ".safetensors"})
            files = " ".join(f"{path.name}:{weights_hash(path)}" for path in read)
        return f"{self.options.tuning} {tensors_hash(self.tuned)}" if self.tuned else "frozen", files

    @property
    def for_words(self) -> Encoder:
        known, said = known_weights(self.options.model), self.options
        return self if known and (said.item_prefix or "") == (said.words_prefix or "") else TypedText(self)

    def encode(self, texts: Sequence[str]) -> Tensor:
        nothing = torch.zeros(len(texts), self.width)
        return self.encode_behind(self.family.item_prefix, texts) if any(text.strip() for text in texts) else nothing

    def encode_behind(self, prefix: str, texts: Sequence[str]) -> Tensor:
        """As ``encode``, each text behind this prefix instead of the items'."""
        return self.language_model.encode(behind(prefix, texts), self.options.batch)

    def is_word(self, word: str) -> bool:
        with ONE_AT_A_TIME:
            tokens = self._words(f" {word}", add_special_tokens=False)["input_ids"]
        return len(tokens) == 1 and tokens[0] != self._words.unk_token_id

    @cached_property
    def _words(self) -> Any:
        """The tokenizer alone, without its model."""
        return read_tokenizer(self._tokenizer or self._folder)

    @cached_property
    def language_model(self) -> LanguageModel:
        """With what was tuned; loaded at the first use."""
        model = self._base()
        if self.tuned:
            adapt(model, self._adaptation)
            put(model.body, self.tuned)
            fold(model)
        return model if self.options.memory is not None else model.to(choose_device(self._device))

    def on(self, device: str) -> None:
        if device != self._device:
            self._device = device
            vars(self).pop("language_model", None)

    def _base(self) -> LanguageModel:
        said = self.options
        given: dict[str, Any] = {"precision": said.precision, "memory": said.memory, "device": self._device}
        return LanguageModel(self._folder, self.family.pooling, said.max_tokens, self._tokenizer, **given)

    @property
    def _adaptation(self) -> Adaptation:
        o = self.options
        return Adaptation(o.tuning, o.rank, o.alpha, o.targets, o.adapter_size, o.prefix_places, o.layers)

    # -- learning ------------------------------------------------------------------------------------------------

    @property
    def learns(self) -> bool:
        return self._adaptation.learns

    def learning(self, texts: Sequence[str]) -> LearningTexts | None:
        if not self.learns:
            return None
        o = self.options
        vary = TextAugmentation(augment=o.augment) if o.augment else None
        prefix, words = self.family.item_prefix, self.family.words_prefix
        sizes = {"fresh": o.fresh, "batch": o.batch, "refreshes": o.refreshes, "unfreeze": o.unfreeze}
        wait, room = o.frozen_epochs, o.states_memory * 1e9
        return LearningTexts(
            self._base(), self._adaptation, texts, frozen_epochs=wait, room=room, prefix=prefix, words_prefix=words, vary=vary, **sizes
        )

    def check(self) -> None:
        """Refuse what this language model cannot do, before a text is encoded. One that is to learn is loaded for it, and fetched first where it is
        not here yet; of a frozen one its files are asked."""
        if self.learns:
            adapt(self._base(), self._adaptation)
        elif known_weights(self.options.model) or Path(self.options.model).expanduser().is_dir():
            _ = self.family

    def anew(self) -> PretrainedText:
        return self._like()

    def untuned(self) -> PretrainedText:
        return self._like(tuning="frozen", augment=(), layers=None)

    def _like(self, **changed: Any) -> PretrainedText:
        """Untrained, on the same device."""
        made = PretrainedText(**{**self.settings(), **changed})
        made.on(self._device)
        return made

    def state(self) -> dict[str, Tensor]:
        return self.tuned

    def load_state(self, state: dict[str, Tensor], tokenizer: Path | None = None) -> None:
        self.tuned, self._tokenizer = state, tokenizer
        for name in ("language_model", "_content", "_words"):
            vars(self).pop(name, None)

    def save_tokenizer(self, folder: Path) -> None:
        self.language_model.tokenizer.save_pretrained(folder)

    @property
    def parameters(self) -> tuple[int, int]:
        known = known_weights(self.options.model)
        return known.parameters if known is not None else weights_size(self._folder), sum(tensor.numel() for tensor in self.tuned.values())


class TypedText(Encoder):
    """The same language model, told by its prefix that a text was typed. ``PretrainedText.for_words`` gives it; no config names it."""

    def __init__(self, items: PretrainedText) -> None:
        super().__init__()
        self.items = items

    @property
    def width(self) -> int:
        return self.items.width

    @property
    def identity(self) -> str:
        return self.items.identity_behind(self.items.family.words_prefix)

    def encode(self, texts: Sequence[str]) -> Tensor:
        nothing = torch.zeros(len(texts), self.width)
        return self.items.encode_behind(self.items.family.words_prefix, texts) if any(text.strip() for text in texts) else nothing
