"""What every model keeps to. Inherit it in three lines: ``class TestMine(ModelContract): model = Mine(...)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from ..batches import QueryBatch
from ..data import Dataset, LeaveLastOut
from ..encoders import HashedText
from ..errors import AbilityError
from ..jobs.train import fit
from ..models import Model
from ..recommender import Recommender
from ..training import TrainingOptions
from ..types import Event, Query

__all__ = ["ModelContract", "small_shop"]


@cache
def small_shop(seed: int = 0) -> Dataset:
    """40 users and 24 items in two halves that never mix; the weather says which; item texts name the half; stars hang on the item."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(40):
        for step in range(12):
            half = user % 2
            item = int(rng.integers(0, 12)) * 2 + half
            time = 1_700_000_000.0 + user * 977 + step * 40_000
            rows.append((f"u{user}", f"i{item}", time, "rain" if half else "sun", float(rng.normal()), 1 + item % 5))
    events = pl.DataFrame(rows, schema=["user", "item", "time", "weather", "degrees", "stars"], orient="row")
    items = pl.DataFrame(
        {"item": [f"i{n}" for n in range(24)], "title": [f"{'umbrella boots' if n % 2 else 'sunscreen sandals'} number{n}" for n in range(24)]}
    )
    columns: Mapping[str, Any] = {"time": "time", "value": "stars", "context": ["weather", "degrees"], "text": ["title"]}
    return Dataset.from_frames(events, items, columns=columns)


class ModelContract:
    """Unknown users, unseen items, missing context, empty histories, padding, batching, saving: the same for every model."""

    model: Model
    training = TrainingOptions(epochs=2, batch=16, warmup=2)

    def fitted(self, seed: int = 0) -> Recommender:
        dataset = small_shop()
        recommender = Recommender(type(self.model)(**self.model.options.model_dump()), text=HashedText(width=32), seed=seed)
        fit(recommender, dataset, LeaveLastOut().divide(dataset), self.training)
        recommender.remember(dataset)
        return recommender

    def queries(self, recommender: Recommender) -> QueryBatch:
        return recommender.batch(
            [
                Query(user="u0"),
                Query(user="u1", context={"weather": "rain"}, words="umbrella"),
                Query(user="nobody"),
                Query(history=("i3", "i5")),
                Query(),
            ]
        )

    def test_scores_are_finite_for_known_and_unknown(self) -> None:
        recommender = self.fitted()
        scores = self._score(recommender, self.queries(recommender))
        assert scores.shape == (5, 24)
        assert np.isfinite(scores).all()

    def test_batch_equals_one_by_one(self) -> None:
        recommender = self.fitted()
        queries = self.queries(recommender)
        together = self._score(recommender, queries)
        alone = np.concatenate([self._score(recommender, queries[[row]]) for row in range(len(queries))])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_padding_changes_nothing(self) -> None:
        recommender = self.fitted()
        queries = recommender.batch([Query(history=("i3", "i5"))])
        long = recommender.batch([Query(history=("i3", "i5")), Query(history=[f"i{n}" for n in range(20)])])[[0]]
        np.testing.assert_allclose(self._score(recommender, queries), self._score(recommender, long), atol=1e-5)

    def test_order_of_context_names_changes_nothing(self) -> None:
        recommender = self.fitted()
        one = recommender.batch([Query(context={"weather": "rain", "degrees": 1.0})])
        other = recommender.batch([Query(context={"degrees": 1.0, "weather": "rain"})])
        np.testing.assert_array_equal(self._score(recommender, one), self._score(recommender, other))

    def test_items_may_be_chosen(self) -> None:
        recommender = self.fitted()
        queries = self.queries(recommender)
        whole = self._score(recommender, queries)
        shared = self._score(recommender, queries, torch.tensor([3, 1]))
        own = self._score(recommender, queries, torch.tensor([[3, 1]] * 5))
        np.testing.assert_allclose(shared, whole[:, [3, 1]], atol=1e-5)
        np.testing.assert_allclose(own, whole[:, [3, 1]], atol=1e-5)

    def test_reasons_sum_to_the_score(self) -> None:
        recommender = self.fitted()
        queries = self.queries(recommender)
        items = torch.tensor([[3, 1]] * 5)
        with torch.inference_mode():
            parts = recommender.model.reasons(queries, items)
        np.testing.assert_allclose(sum(part.double().numpy() for part in parts.values()), self._score(recommender, queries, items), atol=1e-4)

    def test_heads_say_what_they_were_trained_for(self) -> None:
        recommender = self.fitted()
        model, queries, items = recommender.model, self.queries(recommender), torch.tensor([[3, 1]] * 5)
        with torch.inference_mode():
            told = {head: model.predict(queries, items, head) for head in model.objective.heads}
        assert all(part.shape == (5, 2) and bool(torch.isfinite(part).all()) for part in told.values())
        if "click" in told:
            assert bool(((told["click"] >= 0) & (told["click"] <= 1)).all())
        if "rating" in told:
            assert bool(((told["rating"] >= 1) & (told["rating"] <= 5)).all())  # the small shop's stars
        for head in {"click", "rating", "conversion"} - set(told):
            with pytest.raises(AbilityError, match=f"no {head} head"):
                model.predict(queries, items, head)

    def test_same_seed_same_scores(self) -> None:
        first, second = self.fitted(), self.fitted()
        np.testing.assert_array_equal(self._score(first, self.queries(first)), self._score(second, self.queries(second)))

    def test_state_gives_the_model_back(self) -> None:
        recommender = self.fitted()
        before = self._score(recommender, self.queries(recommender))
        other = type(self.model)(**self.model.options.model_dump())
        other.objective = recommender.model.objective
        dataset = small_shop()
        other.prepare(dataset, recommender.content, recommender.features)
        other.load_state({name: tensor.clone() for name, tensor in recommender.model.state().items()})
        recommender.model = other
        np.testing.assert_allclose(self._score(recommender, self.queries(recommender)), before, atol=1e-6)

    def test_added_items_are_scored(self) -> None:
        recommender = self.fitted()
        before = self._score(recommender, self.queries(recommender))
        assert recommender.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots"]})) == 1
        after = self._score(recommender, self.queries(recommender))
        assert after.shape == (5, 25)
        np.testing.assert_allclose(after[:, :24], before, atol=1e-5)

    def test_changed_items_are_scored_as_if_they_had_come_so(self) -> None:
        live, again = self.fitted(), self.fitted()
        came = {"item": ["new", "late"], "title": ["sunscreen sandals", "rubber boots"]}
        live.add_items(pl.DataFrame(came))
        self._score(live, self.queries(live))  # whatever is kept between answers is kept now
        assert live.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots and much else"]})) == 0
        again.add_items(pl.DataFrame(came | {"title": ["umbrella boots and much else", "rubber boots"]}))
        np.testing.assert_allclose(self._score(live, self.queries(live)), self._score(again, self.queries(again)), atol=1e-5)

    def test_what_happens_is_known_at_once(self) -> None:
        recommender = self.fitted()
        recommender.record("u0", Event("i7"))
        assert "i7" not in [place.item for place in recommender.recommend(Query(user="u0"), n=24).items]

    def test_a_table_row_equals_a_live_query(self) -> None:
        """Training, evaluation and serving build the same tensors."""
        recommender = self.fitted()
        dataset = small_shop()
        table = recommender.table(dataset)
        row = int(dataset.timelines.rows(3)[-1])
        past = [dataset.events[int(r)].to_dicts()[0] for r in dataset.timelines.rows(3)[:-1]]
        ids = dataset.items["id"]
        history = tuple(
            Event(ids[e["item"]], e["time"], None, e["value"], {"weather": e["context:weather"], "degrees": e["context:degrees"]}) for e in past
        )
        event = dataset.events[row].to_dicts()[0]
        live = Query(
            user="u3", history=history, time=event["time"], context={"weather": event["context:weather"], "degrees": event["context:degrees"]}
        )
        np.testing.assert_allclose(
            self._score(recommender, table.queries(np.array([row]), 200)), self._score(recommender, recommender.batch([live])), atol=1e-4
        )

    def test_a_table_row_equals_a_live_query_without_times(self) -> None:
        timed = small_shop()
        ids = timed.users["id"].gather(timed.user_codes), timed.items["id"].gather(timed.item_codes)
        events = timed.events.select("value", user=ids[0], item=ids[1], weather="context:weather", degrees="context:degrees")
        columns: Mapping[str, Any] = {"value": "value", "context": ["weather", "degrees"], "text": ["title"]}
        dataset = Dataset.from_frames(events, timed.items.rename({"id": "item"}), columns=columns)
        recommender = Recommender(type(self.model)(**self.model.options.model_dump()), text=HashedText(width=32))
        fit(recommender, dataset, LeaveLastOut(validation=1, test=0).divide(dataset), self.training)
        recommender.remember(dataset.take(np.setdiff1d(np.arange(len(dataset)), dataset.timelines.rows(3)[-1:])))
        table = recommender.table(dataset)
        row = int(dataset.timelines.rows(3)[-1])
        event = dataset.events[row].to_dicts()[0]
        live = Query(user="u3", context={"weather": event["context:weather"], "degrees": event["context:degrees"]})
        np.testing.assert_allclose(
            self._score(recommender, table.queries(np.array([row]), 200)), self._score(recommender, recommender.batch([live])), atol=1e-4
        )

    def _score(self, recommender: Recommender, queries: QueryBatch, items: torch.Tensor | None = None) -> NDArray[np.float64]:
        if isinstance(recommender.model, torch.nn.Module):
            recommender.model.eval()
        with torch.inference_mode():
            return np.asarray(recommender.model.score(replace(queries), items).double().numpy())
