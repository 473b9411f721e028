"""Items that were hidden from a history, found by the rest of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from germane.batches import QueryBatch, Timelines
from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.jobs.train import fit
from germane.losses import Objective
from germane.models import GRU, ContextTransformer, DCNv2, SASRec, TwoSided
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import MaskedOptions, TrainingOptions
from germane.training.masked import masked

SMALL: dict[str, Any] = {"width": 16, "blocks": 1, "length": 12, "dropout": 0.0}
Ready = Callable[[TwoSided], tuple[Recommender, Timelines]]
MODELS = [SASRec(**SMALL), GRU(width=16, length=12), ContextTransformer(**SMALL, text_width=8)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_hidden_events_are_asked_of_those_before_and_after(ready: Ready, model: TwoSided, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender, feed = ready(model)
    learning = recommender.model
    batch = next(feed.draw(None))
    read: list[QueryBatch] = []
    vectors = type(learning).query_vectors
    monkeypatch.setattr(type(learning), "query_vectors", lambda self, queries: (read.append(queries), vectors(self, queries))[1])
    torch.manual_seed(1)
    for _ in range(20):
        masked(learning, batch, MaskedOptions(share=0.3))
    before_and_after = 0
    for queries in read:
        for was, left in zip(batch.queries.history.tolist(), queries.history.tolist(), strict=True):
            gone = [place for place, (item, kept) in enumerate(zip(was, left, strict=True)) if item != kept]
            events = [place for place, item in enumerate(was) if item >= 0]
            assert all(left[place] == -1 for place in gone) and len(gone) < max(1, len(events))
            assert len(gone) >= (len(events) >= 3)
            before_and_after += any(events[0] < place < events[-1] for place in gone)
        empty = queries.history < 0
        assert not queries.history_moments.codes[empty].any() and queries.history_values[empty].isnan().all()
    assert before_and_after > 100


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_it_learns_to_find_them_without_a_target(ready: Ready, model: TwoSided) -> None:
    recommender, feed = ready(model)
    learning = recommender.model
    learning.train()
    rule = torch.optim.Adam(learning.parameters(), lr=1e-2)
    losses = []
    for epoch in range(40):
        for batch in feed.draw(np.random.default_rng(epoch)):
            loss = masked(learning, batch, MaskedOptions())
            rule.zero_grad()
            loss.backward()
            rule.step()
            losses.append(loss.item())
    assert abs(losses[0] - math.log(24)) < 0.7 and sum(losses[-6:]) / 6 < losses[0] - 0.25


def test_what_was_taken_later_is_no_negative_where_seen_items_are_none(ready: Ready) -> None:
    recommender, feed = ready(SASRec(**SMALL))
    learning = recommender.model
    batch = next(feed.draw(None))
    learning.objective = Objective("softmax", seen_as_negatives=False)
    with torch.no_grad():
        learning.items.weight.zero_()  # all items score alike: the loss is the log of how many stand against each
    found = masked(learning, batch, MaskedOptions()).exp().item()
    learning.objective = replace(learning.objective, seen_as_negatives=True)
    taken = (batch.queries.history >= 0).sum(1).float().mean().item()
    assert masked(learning, batch, MaskedOptions()).exp().item() == pytest.approx(24)
    assert 24 - taken - 2 < found < 24 - 2


def test_short_histories_and_unknown_items_ask_for_nothing(ready: Ready) -> None:
    recommender, feed = ready(SASRec(**SMALL))
    learning = recommender.model
    batch = next(feed.draw(None))
    learning.known[:] = False
    assert masked(learning, batch, MaskedOptions()).item() == 0
    learning.known[:] = True
    batch.queries.history[:, :-2] = -1
    assert masked(learning, batch, MaskedOptions()).item() == 0


def test_it_is_one_line_of_a_config_and_another_training() -> None:
    dataset = small_shop()
    split, found = LeaveLastOut().divide(dataset), []
    for said in (None, {"weight": 0.5}, {"weight": 0.5}):
        recommender = Recommender(ContextTransformer(**SMALL, text_width=8), text=HashedText(width=16), seed=1)
        fit(recommender, dataset, split, TrainingOptions(epochs=2, batch=16, masked=said, loss="sampled_softmax", negatives=8))
        found.append(recommender.model.state())
    same = [all(torch.equal(one[name], other[name]) for name in one) for one, other in ((found[0], found[1]), (found[1], found[2]))]
    assert same == [False, True]


def test_models_without_a_vector_of_histories_say_so() -> None:
    with pytest.raises(ConfigError, match=r"masked compares what histories say, and DCNv2 makes no vector of one: .* leave masked out"):
        TrainingOptions(masked={}).objective(DCNv2())
    with pytest.raises(ConfigError, match="sharded and masked: processes that hold a table in parts"):
        TrainingOptions(masked={}, sharded=True, loss="sampled_softmax").objective(ContextTransformer())
    assert TrainingOptions(masked={}).suited(DCNv2()).masked is None and TrainingOptions(masked={}).suited(GRU()).masked is not None
