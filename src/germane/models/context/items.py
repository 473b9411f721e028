"""Item vectors: text, identity and side features together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ...encoders import ItemContent, Whitening
from ...losses import in_common
from ..kept import Keeping
from ..layers import START, silence
from .traits import Traits
from .word_match import WordMatch

__all__ = ["ItemTower"]


class ItemTower(Keeping):
    """``v = W z + identity + side features``, with z the whitened text; items without training events have no identity.

    In training the identity of whole items is dropped at random, so that an item's content alone has to be worth something.
    """

    kept: Tensor | None = None
    dropped: Tensor | None = None
    read: Tensor | None = None
    """[items, text width] the whitened texts as this training step reads them, where a language model learns: their gradients gather at it."""
    fixed: Tensor
    known: Tensor
    match: WordMatch | None
    """The very words of the texts."""
    white_mean: Tensor
    white_matrix: Tensor
    side_codes: Tensor
    side_dense: Tensor

    def __init__(
        self,
        content: ItemContent,
        width: int,
        *,
        identity: bool,
        text: bool,
        side: bool,
        traits: bool,
        names: bool,
        taught: bool,
        text_width: int,
        identity_dropout: float,
    ) -> None:
        super().__init__()
        self.identity_dropout = identity_dropout
        self.register_buffer("known", content.known.clone())
        use_text = text and content.width > 0
        self.text_width = min(text_width, content.width) if use_text else 0
        self.learning = content.learning if use_text else None
        self.vocabulary = content.vocabulary.words if content.vocabulary is not None else ()
        self.traits = Traits(content.n_side_codes) if traits and content.side_codes.shape[1] else None
        self.register_buffer("fixed", torch.zeros(content.n_items, self.text_width + (self.traits.width if self.traits is not None else 0)))
        self.match = WordMatch(content.single, content.width, taught) if names and use_text and content.single is not None else None
        self.register_buffer("white_mean", torch.zeros(content.width if use_text else 0))
        self.register_buffer("white_matrix", torch.zeros(content.width if use_text else 0, self.text_width))
        self.register_buffer("side_codes", content.side_codes.clone())
        self.register_buffer("side_dense", content.side_dense.clone())
        self.text = nn.Linear(self.text_width, width, bias=False) if use_text else None
        self.identity = nn.Embedding(content.n_items, width) if identity else None
        self.side = nn.Embedding(content.n_side_codes, width, padding_idx=0) if side and content.side_codes.shape[1] else None
        self.side_numbers = nn.Linear(content.side_dense.shape[1], width, bias=False) if side and content.side_dense.shape[1] else None
        self._start()

    def _start(self) -> None:
        # A query begins as the vector of what was taken last. Were vectors long at the start, it would put that very item first, and training
        # would spend its first epochs on unlearning it.
        for part in (self.identity, self.side, self.text, self.side_numbers):
            if part is not None:
                nn.init.normal_(part.weight, std=START)
        with torch.no_grad():
            if self.side is not None:
                self.side.weight[0] = 0
                silence(self.side, self.side_codes[self.known])
            if self.identity is not None:
                self.identity.weight[~self.known] = 0

    @property
    def has_content(self) -> bool:
        return any(part is not None for part in (self.text, self.side, self.side_numbers))

    @property
    def z(self) -> Tensor:
        """[items, text width] the whitened texts."""
        return self.fixed[:, : self.text_width]

    def fit(self, content: ItemContent) -> None:
        """What is fixed before training, by the known items: how texts are whitened, how rare a side feature is; then every item's own."""
        if self.text_width:
            texts = content.text[content.known] if bool(content.known.any()) else content.text
            state = Whitening.fit(texts, self.text_width).state()
            rank = state["matrix"].shape[1]
            self.white_mean.copy_(state["mean"])
            self.white_matrix[:, :rank].copy_(state["matrix"])
        if self.traits is not None:
            self.traits.fit(content.side_codes, content.known)
        self.fixed.copy_(self._fixed(content.text, content.side_codes))
        if self.match is not None:
            self.match.fit(content)

    def _fixed(self, text: Tensor, side_codes: Tensor) -> Tensor:
        """[items, text width + width of the traits]"""
        parts = [self.whitened(text)] if self.text_width else []
        return torch.cat([*parts, self.traits(side_codes)] if self.traits is not None else [*parts, text.new_zeros(len(text), 0)], dim=1)

    def refresh(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        """Encode all texts with the language model as it stands."""
        if self.learning is not None:
            self.forget()
            self.read = None
            self.fixed[:, : self.text_width] = self.whitened(encode(self.learning.texts).to(self.fixed))
            if self.match is not None and self.vocabulary:
                self.match.read(self.learning.encode_words(self.vocabulary))

    def settle(self, text: Tensor) -> None:
        """Nothing learns any more: ``text`` [items, encoder's width] are the vectors from now on."""
        self.forget()
        self.learning = self.read = None
        self.fixed[:, : self.text_width] = self.whitened(text.to(self.fixed))

    def gathered(self) -> Tensor | None:
        """``read`` of this step; None: no language model learns."""
        if self.learning is not None and self.read is None:
            self.read = self.z.detach().requires_grad_()  # the same numbers, not a copy
        return self.read

    def carry(self, number: int, count: int) -> None:
        """Carry on to the language model what has gathered; the step is over. Of the texts that it takes, every ``count``-th from ``number`` on."""
        read, self.read = self.read, None
        if self.learning is not None and read is not None and read.grad is not None:
            self.learning.carry(read.grad, self.whitened, number=number, count=count, draws=in_common())

    def fixed_of(self, items: Tensor) -> Tensor:
        """[..., text width + traits] of items."""
        there = self.fixed[items]
        read = self.gathered() if self.training else None
        if read is None:
            return there
        return torch.cat([nn.functional.embedding(items, read, sparse=True), there[..., self.text_width :]], dim=-1)

    def whitened(self, vectors: Tensor) -> Tensor:
        """[..., text width] -> [..., z width], unit length; a missing text stays zero."""
        there = vectors.abs().sum(-1, keepdim=True) > 0
        z = nn.functional.normalize((vectors - self.white_mean) @ self.white_matrix, dim=-1)
        return torch.where(there, z, torch.zeros_like(z))

    def grow(self, content: ItemContent) -> None:
        """Take added items: their z and side features; their identity is zero."""
        self.forget()
        old = self.known.shape[0]
        self.known = content.known.to(self.known.device)
        device = self.fixed.device
        self.fixed = torch.cat([self.fixed, self._fixed(content.text[old:].to(device), content.side_codes[old:].to(device))])
        if self.match is not None:
            self.match.grow(content)
        self.side_codes, self.side_dense = content.side_codes.to(device), content.side_dense.to(device)
        if self.identity is not None:
            table = torch.zeros(content.n_items, self.identity.embedding_dim, device=self.identity.weight.device)
            table[:old] = self.identity.weight.detach()
            self.identity = nn.Embedding.from_pretrained(table, freeze=False)

    def change(self, content: ItemContent, items: Tensor) -> None:
        """Take what ``content`` says now of ``items`` [m], which training did not know."""
        self.forget()
        device = self.fixed.device
        self.fixed = self.fixed.index_copy(0, items.to(device), self._fixed(content.text[items].to(device), content.side_codes[items].to(device)))
        if self.match is not None:
            self.match.change(content, items)
        self.side_codes, self.side_dense = content.side_codes.to(device), content.side_dense.to(device)

    def catalogue(self) -> Tensor:
        """[items, width]; while nothing learns they are computed once and kept, so that a request costs no pass over the catalogue's contents."""
        kept, began = self.kept, self.changes
        if kept is not None and self.may_keep():
            return kept
        vectors: Tensor = self(torch.arange(self.known.shape[0], device=self.known.device))
        self.keep(vectors, began)
        return vectors

    def content_vectors(self, items: Tensor) -> Tensor:
        """[..., width] without identity."""
        total = torch.zeros((), device=self.fixed.device)
        if self.text is not None:
            total = total + self.text(self.fixed_of(items)[..., : self.text_width])
        if self.side is not None:
            codes = self.side_codes[items]
            total = total + self.side(codes).sum(-2) / (codes > 0).sum(-1, keepdim=True).clamp(min=1).sqrt()
        if self.side_numbers is not None:
            total = total + self.side_numbers(self.side_dense[items])
        return total

    def drop(self) -> None:
        """Draw which items this training step takes for new: in histories, as targets and as negatives alike. Without content none: nothing
        would be left of them."""
        if self.identity_dropout > 0 and self.has_content:
            chances = torch.rand(self.known.shape[0], device=self.known.device, generator=in_common())
            self.dropped = chances < self.identity_dropout

    def familiar(self) -> Tensor:
        """[items] bool: known, and not taken for new by this training step."""
        return self.known & ~self.dropped if self.training and self.dropped is not None else self.known

    def forward(self, items: Tensor) -> Tensor:
        """[..., width]"""
        vectors = self.content_vectors(items)
        if self.identity is not None:
            vectors = vectors + self.identity(items) * self.familiar()[items][..., None]
        return vectors
