"""What may be kept while nothing learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import nn

__all__ = ["Keeping"]


class Keeping(nn.Module):
    """A module that works something out once and keeps it in ``kept`` while its weights stay as they are.

    Forgotten in training, with other weights, on another device; what else changes it says ``forget``. Ask ``may_keep`` first, and note
    ``changes`` before working out: what was begun before a ``forget`` is ``keep``-t no more.
    """

    kept: Any = None
    changes: int = 0
    """How often it has forgotten."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.register_load_state_dict_post_hook(lambda module, keys: self.forget())  # type: ignore[no-untyped-call]

    def may_keep(self) -> bool:
        return not self.training and not torch.is_grad_enabled()

    def keep(self, found: Any, began: int) -> None:
        """``began``: ``changes`` before ``found`` was worked out."""
        if self.may_keep() and began == self.changes:
            self.kept = found

    def forget(self) -> None:
        self.changes += 1
        self.kept = None

    def train(self, mode: bool = True) -> Self:
        if mode:
            self.forget()
        return super().train(mode)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        self.forget()
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]
