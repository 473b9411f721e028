"""Bring together what belongs together: pairs of texts, each told from the others of its batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...encoders.adaptation import layers_of
from ...encoders.language_model import LanguageModel
from ...encoders.lower_states import LowerStates
from ...encoders.transformers_folder import write_folder
from ...errors import ConfigError
from ...losses.pretraining import info_nce
from .options import PretrainingOptions
from .task import Task, held_apart, top_layers

__all__ = ["Contrast", "PairedTexts"]


@dataclass(frozen=True)
class PairedTexts:
    """Texts, each once, and which of them belong together."""

    texts: Sequence[str]
    pairs: Mapping[str, NDArray[np.int64]]
    """By kind, [n, 2] places in ``texts``, as often as they were seen; ``views`` pair a text with itself."""
    prefixed: Sequence[int] = ()
    """[texts] how many characters in front of each are its prefix; empty: none."""


class Contrast(Task):
    """InfoNCE in batches of one kind of pair, both ways. Pairs known to belong together, and the same text twice, are no wrong answers.

    Pairs are told apart whichever of the two came first, so that none both learns and judges; their texts may do both. With ``layers``, what those
    below make of a text is kept in ``room`` bytes at most, but for views, which differ by dropout in all layers.

    Source: Gao et al., SimCSE, 2021 (views by dropout); Neelakantan et al., Text and Code Embeddings by Contrastive Pre-Training, 2022.
    """

    model: LanguageModel

    def __init__(
        self, model: LanguageModel, paired: PairedTexts, options: PretrainingOptions, device: torch.device, seed: int, base: Path, room: float = 0.0
    ) -> None:
        self.model, self.options, self.seed, self.base = model.to(device), options, seed, base
        self.texts = paired.texts
        if "views" in paired.pairs and options.view == "dropout" and not _drops(model):
            raise ConfigError('[pretraining] view = "dropout": this language model has no dropout, so both views are the same; say view = "tokens".')
        self.ids: list[list[int]] = []
        self.kept: list[NDArray[np.bool_]] = []  # special tokens and prefixes, which no view lacks
        if "views" in paired.pairs and options.view == "tokens":
            how = {"truncation": True, "max_length": model.limit, "return_special_tokens_mask": True, "return_offsets_mapping": any(paired.prefixed)}
            read = model.tokenizer(list(paired.texts), **how)
            self.ids, self.kept = read["input_ids"], [np.array(mask) == 1 for mask in read["special_tokens_mask"]]
            for kept, length, offsets in zip(self.kept, paired.prefixed, read.get("offset_mapping", ())):
                kept |= np.array(offsets)[:, 1] <= length
        self.pairs, judged = {}, {}
        for kind, pairs in paired.pairs.items():
            keys = np.sort(pairs, axis=1) @ np.array([len(self.texts), 1])
            different = np.unique(keys)
            learn, judge = held_apart(len(different), options.held_out, seed, f'different pairs of the kind "{kind}"', least=2)
            self.pairs[kind] = pairs[np.isin(keys, different[learn])]
            judged[kind] = np.unique(pairs[np.isin(keys, different[judge])], axis=0)
        both_ways = [self._keys(pairs[:, way]) for pairs in paired.pairs.values() for way in ([0, 1], [1, 0])]
        self.together = np.unique(np.concatenate(both_ways))
        rng = np.random.default_rng(seed)
        self.judged = [(kind, part) for kind, pairs in judged.items() for part in self._parts(rng.permutation(pairs))]
        top_layers(model.body, options.layers)
        self.lower = LowerStates(model, len(layers_of(model.body)) - options.layers if options.layers else 0, room)
        read = {row for kind, pairs in paired.pairs.items() if kind != "views" for row in pairs.ravel().tolist()}
        self.lower.fill([self.texts[row] for row in read], options.batch)  # ahead, so that a resumed pretraining has the very same
        free = [(~self._clash(pairs)).sum(1) for _, pairs in self.judged]
        self.chance = float(np.log(np.concatenate(free)).mean())

    def __len__(self) -> int:
        return sum(len(self._parts(pairs)) for pairs in self.pairs.values())

    def epoch(self, rng: np.random.Generator) -> list[tuple[str, NDArray[np.int64]]]:
        batches = [(kind, part) for kind, pairs in self.pairs.items() for part in self._parts(rng.permutation(pairs))]
        rng.shuffle(batches)
        return batches

    def loss(self, batch: tuple[str, NDArray[np.int64]]) -> Tensor:
        kind, pairs = batch
        one, other = (self._vectors(kind, pairs[:, side]) for side in (0, 1))
        clash = torch.from_numpy(self._clash(pairs)).to(one.device)
        return info_nce(one, other, clash, self.options.temperature)

    def held_out(self) -> float:
        total = 0.0
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)  # two views differ by chance, and each time by the same
            for kind, pairs in self.judged:
                self.model.train(kind == "views" and self.options.view == "dropout")
                total += self.loss((kind, pairs)).item() * len(pairs)
        self.model.eval()
        return total / sum(len(pairs) for _, pairs in self.judged)

    def save(self, folder: Path) -> None:
        write_folder(self.model.body.cpu(), folder, self.base)

    def _parts(self, pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Batches; one pair alone is told from nothing, and left out."""
        size = self.options.batch
        return [part for start in range(0, len(pairs), size) if len(part := pairs[start : start + size]) > 1]

    def _keys(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        return pairs[:, 0] * len(self.texts) + pairs[:, 1]

    def _clash(self, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """[n, n] of a batch: the other is the same text as the right one or as the anchor, or is known to belong to the anchor too."""
        one, other = pairs[:, 0], pairs[:, 1]
        same: NDArray[np.bool_] = (other == other[:, None]) | (one == one[:, None]) | (other == one[:, None])
        same |= np.isin(one[:, None] * len(self.texts) + other, self.together)
        np.fill_diagonal(same, False)
        return same

    def _vectors(self, kind: str, rows: NDArray[np.int64]) -> Tensor:
        """[rows, width]"""
        if kind != "views" or self.options.view == "dropout":
            return self.lower([self.texts[row] for row in rows], keep=kind != "views")
        from transformers.data.data_collator import pad_without_fast_tokenizer_warning

        views = [{"input_ids": self._without_some(row)} for row in rows]
        read: dict[str, Any] = pad_without_fast_tokenizer_warning(self.model.tokenizer, views, return_tensors="pt")
        vectors: Tensor = self.model({name: tensor.to(self.model.device) for name, tensor in read.items()})
        return vectors

    def _without_some(self, row: int) -> list[int]:
        ids, special = np.array(self.ids[row]), self.kept[row]
        stays = special | (torch.rand(len(ids)).numpy() >= self.options.token_dropout)
        return list(map(int, ids[stays] if (stays & ~special).any() else ids))


def _drops(model: nn.Module) -> bool:
    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in model.modules())
