"""Boosted trees over what is known of a pair."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...component import Options
from ...errors import AbilityError, RunError
from ..candidate_features import Candidates
from .base import Lessons, Ranker, likeliest_weight

__all__ = ["BoostedTrees", "BoostedTreesOptions"]


class BoostedTreesOptions(Options):
    objective: Literal["binary", "lambdarank"] = "binary"
    """``binary``: each pair is taken or not; ``lambdarank``: pairs in the wrong order count by what their exchange would do to NDCG."""
    trees: int = Field(default=500, ge=1)
    """At most."""
    leaves: int = Field(default=15, ge=2)
    """Of each tree."""
    learning_rate: float = Field(default=0.05, gt=0)
    """How much of each tree is believed."""
    min_rows: int = Field(default=50, ge=1)
    """Pairs that each leaf holds at least."""
    columns: float = Field(default=0.7, gt=0, le=1)
    """Share of the numbers and categories that each tree may ask about."""
    l2: float = Field(default=5.0, ge=0)
    """How strongly leaves are pulled to zero."""
    patience: int = Field(default=40, ge=1)
    """Stop after so many trees without a better NDCG@10 on the cases kept aside; the best are kept."""


class BoostedTrees(Ranker):
    """Gradient-boosted trees on top of the first model's score (LightGBM, Ke et al., 2017; LambdaMART, Burges, 2010).

    Needs little tuning and few cases; prefer ``CrossNetwork`` where categories have many values or the library is not wanted.
    Learnt and read by the library lightgbm (``pip install 'germane[trees]'``), also in service. Saved as its text, without pickle.
    """

    options: BoostedTreesOptions

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.text, self.weight = b"", 1.0
        self._booster: Any = None

    def check(self) -> None:
        if find_spec("lightgbm") is None:
            raise AbilityError("BoostedTrees are grown by the library lightgbm, which is not installed: pip install 'germane[trees]'.")

    def learn(self, taught: Lessons, aside: Lessons, seed: int) -> int:
        self.check()
        import lightgbm

        o = self.options
        self.weight = likeliest_weight(taught)
        numbers = taught.pairs.numbers.shape[-1]
        categories = list(range(numbers, numbers + taught.pairs.codes.shape[-1]))

        def table(lessons: Lessons, reference: Any = None) -> Any:
            pairs = lessons.pairs
            labels = torch.zeros(pairs.there.shape).scatter_(1, lessons.targets[:, None], 1.0)
            weights = lessons.weights[:, None].expand(pairs.there.shape)
            return lightgbm.Dataset(
                _rows(pairs),
                labels[pairs.there].numpy(),
                reference=reference,
                weight=weights[pairs.there].numpy(),
                group=pairs.there.sum(1).numpy(),
                init_score=self._start(pairs),
                categorical_feature=categories,
                free_raw_data=True,
            )

        of = {
            "objective": o.objective,
            "metric": "ndcg",
            "eval_at": [10],
            "num_leaves": o.leaves,
            "learning_rate": o.learning_rate,
            "min_data_in_leaf": o.min_rows,
            "feature_fraction": o.columns,
            "lambda_l2": o.l2,
            "seed": seed % (1 << 31),
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": torch.get_num_threads(),
            "verbosity": -1,
        }
        learning = table(taught)
        stop = lightgbm.early_stopping(o.patience, verbose=False)
        booster = lightgbm.train(of, learning, o.trees, valid_sets=[table(aside, learning)], callbacks=[stop])
        best = int(booster.best_iteration or booster.current_iteration())
        self._read(booster.model_to_string(num_iteration=best).encode())
        return best

    def _start(self, pairs: Candidates) -> NDArray[np.float64]:
        """[pairs] where trees begin: the logarithm of the chance that the first model's score alone gives, which is its order."""
        chances = (self.weight * pairs.first).masked_fill(~pairs.there, -torch.inf).log_softmax(1)
        return chances[pairs.there].double().numpy()

    def score(self, pairs: Candidates) -> Tensor:
        first = self.weight * pairs.first
        if self._booster is None or not bool(pairs.there.any()):
            return first
        # One thread: a request's few rows are read sooner than threads are woken.
        told = self._booster.predict(_rows(pairs), raw_score=True, num_threads=1)
        return first.masked_scatter(pairs.there, first[pairs.there] + torch.from_numpy(told).float())

    def _read(self, text: bytes) -> None:
        self.check()
        import lightgbm

        try:
            self._booster = lightgbm.Booster(model_str=text.decode())
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
            raise RunError(f"the trees cannot be read ({str(error).splitlines()[0]}): the run is damaged.") from None
        self.text = text

    def state(self) -> dict[str, Tensor]:
        return {"text": torch.tensor(list(self.text), dtype=torch.uint8), "weight": torch.tensor(self.weight, dtype=torch.float64)}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.weight = float(state["weight"])
        if len(state["text"]):
            self._read(state["text"].numpy().tobytes())


def _rows(pairs: Candidates) -> NDArray[np.float32]:
    """[pairs that are there, numbers + categories]"""
    there = pairs.there
    return np.concatenate([pairs.numbers[there].numpy(), pairs.codes[there].numpy().astype(np.float32)], axis=1)
