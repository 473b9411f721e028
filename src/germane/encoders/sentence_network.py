"""The network of the Universal Sentence Encoder, multilingual, from its arrays: words and their neighbours, averaged, then a deep net on top."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..errors import FetchError

__all__ = ["SentenceNetwork"]

_WINDOWS = {2: 0, 3: 1, 5: 2}
"""Tokens that a branch sees at once, and how many of them stand before."""


class SentenceNetwork(nn.Module):
    """Token codes to one vector a text. The table of tokens stays in the 8 bits it travels in (66 MB instead of 262); rows are read when needed."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        names = sorted((name for name in arrays if name[0] == "q"), key=lambda name: int(name[1:]))
        table = np.stack([arrays[name] for name in names], axis=1)  # [rows, chunks, width] uint8: token t lies in chunk t % chunks
        self.table = torch.from_numpy(table.reshape(-1, table.shape[-1]))  # [tokens, width]
        self.chunks, self.width = len(names), table.shape[-1]
        self.eps = float(arrays["eps"])
        self.arrays = {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in arrays.items() if name[0] != "q" and value.ndim}

    @classmethod
    def load(cls, file: Path) -> SentenceNetwork:
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
                return cls({name: archive[name] for name in archive.files})
        except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
            raise FetchError(f"The weights in {file} cannot be read ({error}); delete its folder, and they are fetched again.") from None

    def forward(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Codes of each text's tokens, none of them empty -> [texts, width] float32 of unit length."""
        of = self.arrays
        lengths = torch.tensor([len(text) for text in texts])
        flat = torch.tensor([code for text in texts for code in text])  # [tokens]
        chunk = flat % self.chunks
        states = self.table[flat].float() * of["scale"][chunk, None] + of["lo"][chunk, None]
        begun = torch.cat([states @ of[f"proj{wide}"] + of[f"proj_b{wide}"] for wide in _WINDOWS], dim=1)
        gain, shift = (torch.cat([of[f"{name}{wide}"] for wide in _WINDOWS]) for name in ("ln_g", "ln_b"))
        branches = functional.layer_norm(begun, begun.shape[1:], gain, shift, self.eps).chunk(len(_WINDOWS), dim=1)  # of all branches together
        seen = torch.cat([states, *(self._branch(x, lengths, wide) for x, wide in zip(branches, _WINDOWS, strict=True))], dim=1)
        seen = functional.layer_norm(seen, seen.shape[1:], of["ln_g"], of["ln_b"], self.eps)
        text = torch.repeat_interleave(torch.arange(len(texts)), lengths)
        summed = torch.zeros(len(texts), seen.shape[1]).index_add_(0, text, seen)
        x = (summed @ of["cnn_W"] + lengths[:, None] * of["cnn_b"]) / lengths[:, None].sqrt()
        x = (x @ of["p1"] + (x @ of["d0"]).relu() @ of["d1"]).relu()
        return functional.normalize((x @ of["p3"] + (x @ of["d2"]).relu() @ of["d3"]).tanh(), dim=1)

    def _branch(self, x: Tensor, lengths: Tensor, wide: int) -> Tensor:
        """Two layers over each token [tokens, width] and its neighbours in the same text; outside of it stand zeros."""
        tokens, before = len(x), _WINDOWS[wide]
        ends = lengths.cumsum(0)
        first, last = torch.repeat_interleave(ends - lengths, lengths)[:, None], torch.repeat_interleave(ends, lengths)[:, None]
        places = torch.arange(tokens)[:, None] + torch.arange(-before, wide - before)
        places = torch.where((places >= first) & (places < last), places, tokens)  # [tokens, wide]; ``tokens`` is the row of zeros
        for layer in ("1", "2"):
            windows = torch.cat([x, x.new_zeros(1, x.shape[1])])[places].flatten(1)
            x = x + (windows @ self.arrays[f"w{layer}_{wide}"] + self.arrays[f"b{layer}_{wide}"]).relu()
        return x
