"""Spread vectors evenly: language models put all texts into one narrow cone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ConfigError

__all__ = ["Whitening"]


@dataclass(frozen=True, eq=False)
class Whitening:
    """Centre, rotate to the principal axes, give each the same variance, and cut to unit length.

    Fit it on the catalogue's vectors, then send item vectors and typed words through the same transform. Zero vectors (no text)
    stay zero.

    >>> vectors = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 9) + 5
    >>> Whitening.fit(vectors, width=4).transform(vectors).norm(dim=-1).mean().round(decimals=4)
    tensor(1.)

    Source: Su et al., Whitening Sentence Representations for Better Semantics and Faster Retrieval, 2021.
    """

    mean: Tensor
    """[vector width]"""
    matrix: Tensor
    """[vector width, width]"""

    @classmethod
    def fit(cls, vectors: Tensor, width: int | None = None, shrink: float = 1e-2) -> Whitening:
        """From vectors [n, vector width]. ``shrink`` is added to each variance, as a share of their mean, so that faint axes are not blown up.

        Axes along which nothing varies, or that the vectors do not have (``width`` above theirs), give zeros.
        """
        wide = vectors.shape[-1]
        width = wide if width is None else width
        if width < 0 or shrink < 0:
            raise ConfigError(f"Whitening got width = {width} and shrink = {shrink}; both are 0 or more.")
        used = vectors[(vectors != 0).any(-1)].double()  # [used, vector width]
        mean = used.mean(0) if len(used) else torch.zeros(wide, dtype=torch.float64)
        centred = used - mean
        variances, axes = _principal(centred)
        variances, axes = variances[:width], axes[:, :width]
        total = float(centred.square().mean()) if used.numel() else 0.0  # mean variance of an axis
        matrix = torch.zeros(wide, width, dtype=torch.float64)
        if total <= 1e-12:  # one vector, or all alike: nothing to whiten
            return cls(torch.zeros(wide), torch.eye(wide, width))
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # one of the two directions, the same everywhere
        scale = torch.where(variances > 1e-7 * variances[0], (variances.clamp(min=0) + shrink * total).rsqrt(), 0.0)
        matrix[:, : axes.shape[1]] = axes * scale
        return cls(mean.float(), matrix.float())

    def transform(self, vectors: Tensor) -> Tensor:
        """[..., vector width] -> [..., width]"""
        some = (vectors != 0).any(-1, keepdim=True)
        return functional.normalize((vectors - self.mean) @ self.matrix, dim=-1) * some

    def state(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "matrix": self.matrix}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Whitening:
        return cls(state["mean"], state["matrix"])


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """[k] variances, largest first, and [vector width, k] their axes, of centred rows [n, vector width].

    Where rows are fewer than axes, most variances are zero, and ``eigh`` does not always converge on so many alike: the rows are taken apart.
    """
    n, wide = centred.shape
    if n < wide:
        _, lengths, axes = torch.linalg.svd(centred, full_matrices=False)
        return lengths.square() / max(n, 1), axes.T
    spread = centred.T @ centred / max(n, 1)
    try:
        variances, axes = torch.linalg.eigh(spread)
    except RuntimeError:  # LinAlgError: many rows, few of them different
        axes, variances, _ = torch.linalg.svd(spread)
        return variances, axes
    return variances.flip(0), axes.flip(1)
