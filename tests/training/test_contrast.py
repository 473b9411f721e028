"""Views of histories, and telling which belong together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from germane import Query
from germane.batches import QueryBatch, Timelines
from germane.data import LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.jobs.train import fit
from germane.models import GRU, ContextTransformer, DCNv2, SASRec, TwoSided
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import ContrastOptions, TrainingOptions
from germane.training.contrast import contrast, view_of

SMALL: dict[str, Any] = {"width": 16, "blocks": 1, "length": 12}
Ready = Callable[[TwoSided], tuple[Recommender, Timelines]]
MODELS = [SASRec(**SMALL), GRU(width=16, length=12), ContextTransformer(**SMALL, text_width=8)]


def queries(ready: Ready) -> QueryBatch:
    recommender, _ = ready(MODELS[2])
    recommender.remember(small_shop())
    return recommender.batch([Query(user=f"u{n}") for n in range(40)])


def views(ready: Ready, **said: float) -> tuple[QueryBatch, list[QueryBatch]]:
    torch.manual_seed(1)
    asked = queries(ready)
    return asked, [view_of(asked, ContrastOptions(**said)) for _ in range(30)]


def test_views_are_runs_subsets_or_shuffles_of_the_same_events(ready: Ready) -> None:
    asked, found = views(ready, crop=0.5, mask=0.4, reorder=0.5)
    kinds = dict.fromkeys(("run", "subset", "shuffle"), 0)
    for view in found:
        for was, now in zip(asked.history.tolist(), view.history.tolist(), strict=True):
            left, before = [item for item in now if item >= 0], [item for item in was if item >= 0]
            assert left and not set(left) - set(before)
            if sorted(left) == sorted(before):
                kinds["shuffle"] += left != before
            else:
                there = [place for place, item in enumerate(now) if item >= 0]
                assert [was[place] for place in there] == left  # the others stand where they stood
                kinds["run" if there == list(range(there[0], there[-1] + 1)) and len(there) == round(len(before) * 0.5) else "subset"] += 1
    assert all(count > 200 for count in kinds.values())


def test_what_belongs_to_an_event_moves_with_it_and_times_stay(ready: Ready) -> None:
    asked, found = views(ready, reorder=1.0)
    worth = {(item, value) for row in range(40) for item, value in zip(asked.history[row].tolist(), asked.history_values[row].tolist(), strict=True)}
    for view in found:
        assert torch.equal(view.ages, asked.ages) and torch.equal(view.times, asked.times)
        pairs = zip(view.history.ravel().tolist(), view.history_values.ravel().tolist(), strict=True)
        assert all((item, value) in worth for item, value in pairs if item >= 0)
        codes = {(h, *c) for h, c in zip(asked.history.ravel().tolist(), asked.history_moments.codes.flatten(0, 1).tolist(), strict=True)}
        assert {
            (h, *c) for h, c in zip(view.history.ravel().tolist(), view.history_moments.codes.flatten(0, 1).tolist(), strict=True) if h >= 0
        } <= codes


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_it_learns_to_tell_histories_apart_without_a_target(ready: Ready, model: TwoSided) -> None:
    recommender, feed = ready(model)
    learning = recommender.model.train()
    rule = torch.optim.Adam(learning.parameters(), lr=1e-2)
    losses = []
    for epoch in range(30):
        for batch in feed.draw(np.random.default_rng(epoch)):
            loss = contrast(learning, batch, ContrastOptions())
            rule.zero_grad()
            loss.backward()
            rule.step()
            losses.append(loss.item())
    assert losses[0] < math.log(20) + 1 and sum(losses[-10:]) / 10 < 0.7 * losses[0]


def test_short_histories_and_a_lone_one_ask_for_nothing(ready: Ready) -> None:
    recommender, feed = ready(SASRec(**SMALL))
    batch = next(feed.draw(None))
    assert contrast(recommender.model, batch.share(0, 20), ContrastOptions()).item() == 0
    batch.queries.history[:, :-2] = -1
    assert contrast(recommender.model, batch, ContrastOptions()).item() == 0


def test_it_is_one_line_of_a_config_and_another_training() -> None:
    dataset = small_shop()
    split, found = LeaveLastOut().divide(dataset), []
    for said in (None, {"weight": 0.5}, {"weight": 0.5}):
        recommender = Recommender(SASRec(**SMALL), text=HashedText(width=16), seed=1)
        fit(recommender, dataset, split, TrainingOptions(epochs=2, batch=16, contrast=said))
        found.append(recommender.model.items.weight.detach())
    assert not torch.equal(found[0], found[1]) and torch.equal(found[1], found[2])


def test_models_without_a_vector_of_histories_say_so() -> None:
    with pytest.raises(ConfigError, match=r"contrast compares what histories say, and DCNv2 makes no vector of one: .* SASRec"):
        TrainingOptions(contrast={"weight": 0.1}).objective(DCNv2())
    assert TrainingOptions(contrast={"weight": 0.1}).suited(DCNv2()).contrast is None
    assert TrainingOptions(contrast={"weight": 0.1}).suited(GRU()).contrast is not None
