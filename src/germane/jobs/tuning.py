"""What is worked out anew as a language model learns, and what is left of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..batches import EventTable, own_phrases
from ..data import Dataset
from ..models import Learned
from ..recommender import Recommender

__all__ = ["keep_tuned", "renewal"]


def renewal(
    recommender: Recommender, model: Learned, dataset: Dataset, tables: Sequence[EventTable], phrases_of: Dataset | None
) -> Callable[[], None] | None:
    """A function that encodes items and typed words with the language model as it stands, each text once. None: it is frozen.

    ``tables``: whose ``words`` are renewed in place; ``phrases_of``: the first of them holds these data's own phrases behind what was typed.
    """
    learning = model.texts_that_learn()
    if learning is None:
        return None

    def renew() -> None:
        model.refresh(_Once(learning.encode))
        encode = _Once(learning.encode_words)
        typed = recommender.typed(dataset, encode)
        vectors = typed[0].vectors if typed is not None else torch.zeros(0, 0)
        for place, table in enumerate(tables):
            told = vectors
            if place == 0 and phrases_of is not None:
                told = torch.cat([vectors, own_phrases(phrases_of, encode, len(vectors))[0].vectors])
            table.words.vectors.copy_(told)

    return renew


class _Once:
    """Encodes; the same text once."""

    def __init__(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        self.encode, self.known = encode, dict[str, Tensor]()

    def __call__(self, texts: Sequence[str]) -> Tensor:
        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        self.known |= dict(zip(missing, self.encode(missing), strict=True))
        return torch.stack([self.known[text] for text in texts]) if texts else torch.zeros(0, 0)


def keep_tuned(recommender: Recommender, model: Learned, dataset: Dataset) -> None:
    """Training is over: the encoder takes what the language model learned, the model the items' vectors by it."""
    learning = model.texts_that_learn()
    if learning is not None:
        recommender.take_text(learning.learnt(), dataset)
        model.settle(recommender.content.text)
