"""What ``ALS`` and ``BPR`` share: factors learnt by the library implicit, which is called here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...data.dataset import Dataset
from ...encoders import ItemContent
from ...errors import AbilityError
from .from_history import FromHistory
from .taken import taken

if TYPE_CHECKING:
    from ...encoders import Encoder

__all__ = ["Factorised", "one_thread_of_blas", "seed", "user_items"]


class Factorised(FromHistory):
    """A vector for each item; items that training does not know have zeros and so the score 0.

    Fitting needs the library implicit; scoring and loading a run do not.
    """

    factors: Tensor
    """[items, factors]"""

    def check(self, dataset: Dataset, text: Encoder) -> None:
        if find_spec("implicit") is None:
            raise AbilityError(f"{type(self).__name__} is learnt by the library implicit, which is not installed: pip install 'germane[classics]'.")

    def likeness(self) -> Tensor:
        return self.factors

    def add_items(self, content: ItemContent) -> None:
        self.factors = functional.pad(self.factors, (0, 0, 0, content.n_items - self.n_items))
        self.n_items = content.n_items


def user_items(dataset: Dataset) -> Any:
    """Scipy's compressed rows [users, items] of the weights of what was taken, as implicit reads them."""
    from scipy.sparse import csr_matrix

    users, items, weights = taken(dataset)
    return csr_matrix((weights.astype(np.float32), (users, items)), shape=(dataset.n_users, dataset.n_items))


def seed() -> int:
    """Torch's seed, in the range that implicit takes."""
    return torch.initial_seed() % 2**31


@contextmanager
def one_thread_of_blas() -> Iterator[None]:
    """Implicit has threads of its own: those of BLAS inside them cost more than they bring, and implicit warns of them."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        yield
