"""Guess words: masked ones from those around them, or each from those before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...encoders.word_head import WordHead
from ...errors import TrainingError
from ...losses.pretraining import unigram_loss
from ..told import Progress, Told
from .options import PretrainingOptions
from .task import Task, held_apart, top_layers

__all__ = ["GuessWords"]

HEAD_RATE = 1e-3
"""Of a head that nothing is known of; it falls to zero."""
SPREAD = 4.0
"""Texts whose lengths differ by fewer tokens may share a batch: little padding, and not always the same neighbours."""


class GuessWords(Task):
    """Masked words (Devlin et al., BERT, 2019) or causal words (Radford et al., GPT, 2018), as the language model can.

    Texts are told apart first, so that none both learns and judges.
    """

    model: WordHead

    def __init__(self, model: WordHead, texts: Sequence[str], options: PretrainingOptions, device: torch.device, seed: int) -> None:
        self.model, self.options, self.seed = model.to(device), options, seed
        tokens = model.tokenizer(
            list(texts), truncation=True, max_length=model.limit, return_special_tokens_mask=True, return_offsets_mapping=options.whole_words
        )
        self.examples: list[dict[str, list[Any]]] = [{name: column[row] for name, column in tokens.items()} for row in range(len(texts))]
        learn, judge = held_apart(len(texts), options.held_out, seed, "different texts")
        self.learn = learn
        self.lengths = np.array([len(example["input_ids"]) for example in self.examples])
        self.collate = self._collator()
        top_layers(model.body, options.layers, model.own())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.judged = [self._batch(judge[start : start + 64]) for start in range(0, len(judge), 64)]
        asked = torch.cat([targets for _, _, targets in self.judged])
        if not len(asked):
            raise TrainingError("the held-out texts have no word to be guessed: they are too short or too few; hold out more, or bring longer texts.")
        counts = torch.from_numpy(np.bincount(np.concatenate([self._askable(row) for row in learn]), minlength=len(model.tokenizer)))
        model.begin_with(counts)
        self.chance = unigram_loss(counts, asked.cpu())

    def __len__(self) -> int:
        return -(-len(self.learn) // self.options.batch)

    def epoch(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        order = self.learn[np.argsort(self.lengths[self.learn] + SPREAD * rng.random(len(self.learn)), kind="stable")]
        batches = [order[start : start + self.options.batch] for start in range(0, len(order), self.options.batch)]
        rng.shuffle(batches)
        return batches

    def loss(self, batch: NDArray[np.int64]) -> Tensor:
        total, words = self._loss(self._batch(batch))
        return total / max(words, 1)

    def held_out(self) -> float:
        self.model.eval()
        with torch.inference_mode():
            found = [self._loss(batch) for batch in self.judged]
        return sum(total.item() for total, _ in found) / sum(words for _, words in found)

    def save(self, folder: Path) -> None:
        self.model.cpu().save(folder)

    def fit_head(self, progress: Progress | None = None) -> int:
        """Fit what the head has of its own on the frozen language model; gives the steps it took."""
        head = self.model.own()
        if not head:
            return 0
        learns = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.model.requires_grad_(False).eval()
        for parameter in head:
            parameter.requires_grad_(True)
        optimiser, steps = torch.optim.AdamW(head), self.options.head_steps
        batches: list[NDArray[np.int64]] = []
        rng = np.random.default_rng([self.seed, 0xEAD])
        torch.manual_seed(self.seed)
        for step in range(steps):
            batches = batches or self.epoch(rng)
            rate = HEAD_RATE * (1 - step / steps)
            optimiser.param_groups[0]["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            loss = self.loss(batches.pop())
            if not math.isfinite(loss.item()):
                raise TrainingError(f"the loss is not a number at step {step + 1} of fitting the head: the language model's weights are broken.")
            loss.backward()
            optimiser.step()
            if progress is not None:
                progress(Told(0, step + 1, steps, loss.item(), {"head": loss.item()}, rate, float(self.options.batch), part="head"))
        for parameter in learns:
            parameter.requires_grad_(True)
        return steps

    def _loss(self, batch: tuple[dict[str, Tensor], Tensor, Tensor]) -> tuple[Tensor, int]:
        tokens, places, targets = batch
        return functional.cross_entropy(self.model(tokens, places), targets, reduction="sum"), len(targets)

    def _batch(self, rows: NDArray[np.int64]) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Tokens [texts, longest], places [texts, longest] whose words are guessed, the words [P]."""
        device = self.model.body.device
        examples = [self.examples[row] for row in rows]
        if self.model.causal:
            kept = ("input_ids", "attention_mask")
            said = self.collate([{name: example[name] for name in kept} for example in examples])
            places = torch.zeros_like(said["attention_mask"], dtype=torch.bool)
            places[:, :-1] = said["attention_mask"][:, 1:] == 1
            targets = said["input_ids"][:, 1:][places[:, :-1]]
        else:
            if self.options.whole_words:  # the tokenizer pads all but these
                longest = int(self.lengths[rows].max())
                examples = [{**one, "offset_mapping": one["offset_mapping"] + [(0, 0)] * (longest - len(one["input_ids"]))} for one in examples]
            said = self.collate(examples)
            labels = said.pop("labels")
            places = labels != -100
            targets = labels[places]
        return {name: tensor.to(device) for name, tensor in said.items()}, places.to(device), targets.to(device)

    def _askable(self, row: int) -> NDArray[np.int64]:
        """The tokens of a text that may be asked for."""
        ids = np.array(self.examples[row]["input_ids"], dtype=np.int64)
        return ids[1:] if self.model.causal else ids[np.array(self.examples[row]["special_tokens_mask"]) == 0]

    def _collator(self) -> Any:
        from transformers import DataCollatorForLanguageModeling
        from transformers.data.data_collator import pad_without_fast_tokenizer_warning

        tokenizer = self.model.tokenizer
        if self.model.causal:
            return lambda examples: dict(pad_without_fast_tokenizer_warning(tokenizer, examples, return_tensors="pt"))
        whole: dict[str, Any] = {"whole_word_mask": True, "mask_replace_prob": 1.0, "random_replace_prob": 0.0} if self.options.whole_words else {}
        return DataCollatorForLanguageModeling(tokenizer, mlm_probability=self.options.mask_share, **whole)
