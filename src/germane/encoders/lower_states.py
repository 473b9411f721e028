"""What frozen layers at the bottom of a language model make of texts, worked out once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from .adaptation import layers_of
from .language_model import LanguageModel

__all__ = ["LowerStates"]


class LowerStates:
    """Reads texts with a language model whose ``below`` lowest layers learn nothing: these are gone through once a text, and what they make of it is
    kept, so that each time after that begins above them.

    The same vectors, but for the rounding of other sums; in training the layers below drop nothing out. ``room``: bytes that may be taken; texts
    that find none go through the whole model each time, as all do where ``below`` is 0. On the CPU, whatever the model's device. A text takes
    4 bytes × width a token: 46 kB with MiniLM and 30 tokens.

    >>> LowerStates.bytes_of(torch.zeros(30, 384))
    46080

    Source: Liu et al. 2021, AutoFreeze, arXiv 2102.01386, which keeps what frozen blocks answer likewise.
    """

    def __init__(self, model: LanguageModel, below: int, room: float) -> None:
        self.model, self.below, self.room = model, below, room
        self.taken = 0
        """Bytes."""
        self.full = room <= 0
        """No text more is kept, nor gone through for it."""
        self._kept = dict[str, tuple[Tensor, Tensor]]()
        self._beside: tuple[None, ...] | None = None
        """In place of what a layer gives beside its states; None: it gives them alone."""

    def __call__(self, texts: Sequence[str], *, keep: bool = True) -> Tensor:
        """[texts, width] as ``LanguageModel`` gives them, with gradients. ``keep = False``: of texts that will not come again."""
        if not self.below or not keep:
            return self._whole(texts)
        self._read([text for text in dict.fromkeys(texts) if text not in self._kept])
        known = [row for row, text in enumerate(texts) if text in self._kept]
        others = [row for row, text in enumerate(texts) if text not in self._kept]
        parts = [self._from([self._kept[texts[row]] for row in known])] if known else []
        if others:
            parts.append(self._whole([texts[row] for row in others]))
        return torch.cat(parts)[torch.tensor([*known, *others]).argsort()]

    def fill(self, texts: Sequence[str], batch: int) -> None:
        """Keep those of ``texts`` that find room, ``batch`` at a time and always in the same order: rounding, and who finds room, do not rest on
        which of them is read first."""
        missing = sorted({text for text in texts if text.strip() and text not in self._kept}, key=lambda text: (len(text), text))
        for start in range(0, len(missing) if self.below else 0, batch):
            self._read(missing[start : start + batch])

    def _whole(self, texts: Sequence[str]) -> Tensor:
        vectors: Tensor = self.model(self.model.tokens(texts))
        return vectors

    def __len__(self) -> int:
        """Texts that are kept."""
        return len(self._kept)

    @staticmethod
    def bytes_of(states: Tensor) -> int:
        return states.numel() * states.element_size()

    def forget(self) -> None:
        """Of another device or precision they would be others."""
        self._kept.clear()
        self.taken, self.full = 0, self.room <= 0

    @torch.inference_mode(False)  # what is kept is read with gradients later
    @torch.no_grad()
    def _read(self, texts: Sequence[str]) -> None:
        """Keep what the layers below make of these, as long as there is room."""
        if not texts or self.full:
            return
        tokens = self.model.tokens(texts)
        entering = self._below(tokens)
        if entering is None:
            self.full = True
            return
        states = entering.cpu()
        there = tokens["attention_mask"].bool().cpu()
        for text, codes, own, mask in zip(texts, tokens["input_ids"].cpu(), states, there, strict=True):
            size = self.bytes_of(own[mask])
            if self.taken + size > self.room:
                self.full = True
                return
            self._kept[text] = (codes[mask].clone(), own[mask].clone())
            self.taken += size

    def _below(self, tokens: dict[str, Tensor]) -> Tensor | None:
        """[texts, tokens, width] as they enter the layer above; None: they are not what the layer below gives, as where DeBERTa's convolution stands
        between the first two, so that it cannot hand them on in its place."""
        given: list[Tensor] = []
        entered: list[Tensor] = []
        layers, body = layers_of(self.model.body), self.model.body

        def look(layer: nn.Module, read: Any, made: Any) -> None:
            several = isinstance(made, tuple)
            self._beside = (None,) * (len(made) - 1) if several else None
            given.append(made[0] if several else made)

        shape = layers[self.below - 1].register_forward_hook(look)
        watch = layers[self.below].register_forward_pre_hook(lambda layer, read: entered.append(read[0]))
        was = body.training
        try:
            with self._passed(layers[self.below :]):
                body.eval()
                body(**tokens)
        finally:
            body.train(was)
            watch.remove()
            shape.remove()
        whole = entered[0].shape[1] == tokens["input_ids"].shape[1]  # Longformer's are padded to whole windows
        return entered[0] if whole and torch.equal(entered[0], given[0]) else None

    def _from(self, kept: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        body, device = self.model.body, self.model.device
        pad = self.model.tokenizer.pad_token_id
        codes = pad_sequence([codes for codes, _ in kept], batch_first=True, padding_value=pad).to(device)
        states = pad_sequence([states for _, states in kept], batch_first=True).to(device)
        lengths = torch.tensor([len(codes) for codes, _ in kept], device=device)
        there = (torch.arange(codes.shape[1], device=device) < lengths[:, None]).long()
        with self._passed(layers_of(body)[: self.below], states):
            return self.model({"input_ids": codes, "attention_mask": there})  # type: ignore[no-any-return]

    @contextmanager
    def _passed(self, layers: Sequence[nn.Module], states: Tensor | None = None) -> Iterator[None]:
        """Inside, these layers hand on what they are given, or ``states``."""

        def hand_on(given: Tensor, *_: Any, **__: Any) -> Any:
            handed = given if states is None else states
            return handed if self._beside is None else (handed, *self._beside)

        own = [vars(layer).get("forward") for layer in layers]  # there where something else was put before a layer
        for layer in layers:
            layer.forward = hand_on
        try:
            yield
        finally:
            for layer, before in zip(layers, own, strict=True):
                del layer.forward
                if before is not None:
                    layer.forward = before
