"""Losses that need no labels: pairs told from a batch, and what guessing words by their frequency costs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .wide import wide

__all__ = ["info_nce", "unigram_loss"]


def info_nce(anchors: Tensor, others: Tensor, false_negatives: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of finding each anchor's other among all others of the batch, and the reverse.

    Needs pairs and nothing else, where ``full_softmax`` needs a catalogue. ``anchors`` and ``others`` [n, width], of unit length, row i with row i;
    ``false_negatives`` [n, n] bool: other j is no wrong answer to anchor i, such as the same text. Chance is the log of the candidates left.

    >>> info_nce(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 3, dtype=torch.bool), 0.1).item()  # ln 3
    1.098612...
    >>> info_nce(torch.zeros(3, 2), torch.zeros(3, 2), ~torch.eye(3, dtype=torch.bool), 0.1).item()  # nobody to be told from
    0.0

    Source: van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018; in batches both ways, Radford et al., CLIP, 2021.
    """
    scores = wide(anchors @ others.T) / temperature  # [n, n]
    scores = scores.masked_fill(false_negatives, torch.finfo(scores.dtype).min)
    right = torch.arange(len(scores), device=scores.device)
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


def unigram_loss(counts: Tensor, tokens: Tensor) -> float:
    """Mean cross-entropy of ``tokens`` [n] under the frequencies ``counts`` [vocabulary] of other texts: what a model has to beat.

    Counts are smoothed by 1, 0.1 or 0.01 for each entry of the vocabulary, whichever is best on ``tokens``: in doubt for the frequencies.

    >>> round(unigram_loss(torch.tensor([500.0, 500.0]), torch.tensor([0, 1])), 4)  # ln 2
    0.6931
    """
    found = []
    for smoothing in (1.0, 0.1, 0.01):
        chances = (counts.double() + smoothing) / (counts.double().sum() + smoothing * len(counts))
        found.append(-chances[tokens].log().mean().item())
    return min(found)
