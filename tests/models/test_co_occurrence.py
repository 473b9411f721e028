from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from germane.bundle import load, save
from germane.data import Dataset
from germane.encoders import HashedText
from germane.jobs.train import train
from germane.models import ContextTransformer
from germane.models.context import co_occurrence
from germane.models.context.co_occurrence import BACK, FADE, SHARPNESS, CoOccurrence
from germane.recommender import Recommender
from germane.testing.model_contract import ModelContract, small_shop
from germane.training import TrainingOptions
from germane.types import Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 8, "dropout": 0.0}


class TestWithCounts(ModelContract):
    model = ContextTransformer(**SMALL, co_occurrence=1.5)


def walks(seed: int = 0, **rules: object) -> Dataset:
    rng = np.random.default_rng(seed)
    rows = [(f"u{user}", f"i{rng.integers(9)}", rng.choice(["view", "buy"])) for user in range(12) for _ in range(rng.integers(1, 9))]
    catalogue = pl.DataFrame({"item": [f"i{n}" for n in range(9)]})
    columns = {"kind": "kind"} if rules else {}
    return Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item", "kind"], orient="row"), catalogue, columns=columns, rules=rules)


def by_hand(dataset: Dataset, history: list[int], reverse: float, shrink: float) -> NDArray[np.float64]:
    """[items] z, pair after pair."""
    n = dataset.n_items
    worth = dataset.events["weight"].to_numpy().astype(float)
    length = np.sqrt(np.bincount(dataset.item_codes, weights=worth**2, minlength=n))
    strength = np.zeros((n, n))
    for user in range(dataset.n_users):
        rows = dataset.timelines.rows(user)
        for first in range(len(rows)):
            for apart in range(1, min(BACK, len(rows) - 1 - first) + 1):
                a, b = rows[first], rows[first + apart]
                one, other = dataset.item_codes[a], dataset.item_codes[b]
                if one != other:
                    count = FADE ** (apart - 1) * worth[a] * worth[b] / (length[one] * length[other] + shrink)
                    strength[one, other] += count
                    strength[other, one] += reverse * count
    return sum((FADE**age * strength[item] for age, item in enumerate(reversed(history)) if item >= 0), np.zeros(n))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 5.0]))
def test_counts_are_those_by_hand_however_items_are_asked(seed: int, weighed: bool, reverse: float, shrink: float) -> None:
    dataset = walks(seed, **({"kinds": {"view": 1.0, "buy": 3.0}} if weighed else {}))
    rng = np.random.default_rng(seed)
    history = torch.from_numpy(rng.integers(-1, 9, (4, 5)))
    part = CoOccurrence(0.7, reverse, shrink, 9)
    part.fit(dataset)
    wanted = 0.7 * np.log1p(SHARPNESS * np.stack([by_hand(dataset, row.tolist(), reverse, shrink) for row in history]))
    np.testing.assert_allclose(part(history), wanted, rtol=1e-4, atol=1e-5)
    shared, own = torch.tensor([8, 2, 2]), torch.from_numpy(rng.integers(0, 9, (4, 6)))
    np.testing.assert_allclose(part(history, shared), wanted[:, shared], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(part(history, own), np.take_along_axis(wanted, own.numpy(), 1), rtol=1e-4, atol=1e-5)


def test_without_history_or_pairs_it_says_nothing() -> None:
    lonely = Dataset.from_frames(pl.DataFrame({"user": ["a", "b"], "item": ["i", "j"]}))
    for dataset, history in ((walks(), torch.full((2, 3), -1)), (lonely, torch.zeros(2, 1, dtype=torch.int64)), (walks(), torch.zeros(2, 0).long())):
        part = CoOccurrence(1.0, 0.3, 0.0, dataset.n_items)
        part.fit(dataset)
        assert not part(history).any() and part(history).shape == (2, dataset.n_items)
        assert not part(history, torch.tensor([1, 0])).any()


def test_what_may_be_no_target_does_not_count() -> None:
    rows = pl.DataFrame({"user": ["a"] * 3 + ["b"], "item": ["i", "j", "k", "l"], "kind": ["buy", "view", "buy", "buy"]})
    dataset = Dataset.from_frames(rows, columns={"kind": "kind"}, rules={"target": "buy"})
    part = CoOccurrence(1.0, 0.3, 0.0, 4)
    part.fit(dataset)
    index = dataset.item_index
    told = part(torch.tensor([[index["i"]]]))[0]
    assert told[index["k"]] == pytest.approx(np.log1p(SHARPNESS)) and told[index["j"]] == 0


def test_a_popular_item_counts_its_newest_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(co_occurrence, "MOST", 3)
    rows = [(f"u{n}", item, 10 * n + place) for n in range(6) for place, item in enumerate(("hub", f"i{n}"))]
    dataset = Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item", "time"], orient="row"))
    part = CoOccurrence(1.0, 0.3, 0.0, dataset.n_items)
    part.fit(dataset)
    told = part(torch.tensor([[dataset.item_index["hub"]]]))[0]
    assert {dataset.items["id"][int(item)] for item in told.nonzero().ravel()} == {"i3", "i4", "i5"}


def test_new_items_borrow_from_those_they_are_like() -> None:
    part = CoOccurrence(1.0, 0.3, 0.0, 9)
    part.fit(walks())
    fixed = torch.eye(9, 12)
    fixed = torch.cat([fixed, fixed[[4]], torch.zeros(1, 12), fixed[[7]]])  # like 4; nothing is known of it; like 7
    known = torch.arange(12) < 9
    part.lend(fixed, 12, known)
    assert part.new.tolist() == [9, 11]
    history = torch.tensor([[0, 1, 2], [3, 5, 6]])
    whole = part(history)
    z = np.expm1(whole[:, :9].double().numpy()) / SHARPNESS
    for new, like in ((9, 4), (11, 7)):
        share = np.ones(9)
        share[like] = np.exp(co_occurrence.TEMPERATURE)
        np.testing.assert_allclose(whole[:, new], np.log1p(SHARPNESS * (z @ share / share.sum())), rtol=1e-4)
    assert not whole[:, 10].any()
    for items in (torch.tensor([11, 2, 9]), torch.tensor([[9, 9, 1], [10, 0, 11]])):
        np.testing.assert_allclose(part(history, items), whole[:, items] if items.ndim == 1 else whole.gather(1, items), rtol=1e-5)


def test_added_items_borrow_as_if_all_were_asked_again() -> None:
    fixed, known = torch.nn.functional.normalize(torch.randn(14, 6, generator=torch.Generator().manual_seed(0)), dim=1), torch.arange(14) < 9
    fixed[12] = 0  # nothing is known of it
    whole, one_by_one = (CoOccurrence(1.0, 0.3, 0.0, 9) for _ in range(2))
    for part in (whole, one_by_one):
        part.fit(walks())
    whole.lend(fixed, 4, known)
    one_by_one.lend(fixed[:9], 4, known[:9])
    for begin, end in ((9, 11), (11, 12), (12, 13), (13, 14)):
        one_by_one.lend(fixed[:end], 4, known[:end], torch.arange(begin, end))
    for name in ("begins", "new", "lending", "lenders", "shares"):
        torch.testing.assert_close(getattr(one_by_one, name), getattr(whole, name))


def test_changed_items_borrow_as_if_all_were_asked_again() -> None:
    fixed, known = torch.nn.functional.normalize(torch.randn(14, 6, generator=torch.Generator().manual_seed(0)), dim=1), torch.arange(14) < 9
    before = fixed.clone()
    before[[10, 13]] = before[[0, 1]]
    before[9], fixed[12] = 0, 0  # nothing was known of the one, nothing is any more of the other
    whole, changed = (CoOccurrence(1.0, 0.3, 0.0, 9) for _ in range(2))
    for part in (whole, changed):
        part.fit(walks())
    whole.lend(fixed, 4, known)
    changed.lend(before, 4, known)
    changed.lend(fixed, 4, known, torch.tensor([13, 9, 12, 10]))
    for name in ("begins", "new", "lending", "lenders", "shares"):
        torch.testing.assert_close(getattr(changed, name), getattr(whole, name))


def test_queries_are_counted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    part = CoOccurrence(1.0, 0.3, 0.0, 9)
    part.fit(walks())
    part.lend(torch.nn.functional.normalize(torch.randn(12, 6, generator=torch.Generator().manual_seed(0)), dim=1), 4, torch.arange(12) < 9)
    history = torch.randint(-1, 9, (7, 4), generator=torch.Generator().manual_seed(1))
    asked = (None, torch.tensor([11, 2, 10]), torch.arange(12).repeat(7, 1))
    at_once = [part(history, items) for items in asked]
    monkeypatch.setattr(co_occurrence, "AT_ONCE", 3)
    for items, wanted in zip(asked, at_once, strict=True):
        assert wanted.any()
        torch.testing.assert_close(part(history, items), wanted)


def series() -> Dataset:
    """Forty things and what fits each, by names that do not tell; each taken by six of eighty users, three a user. And a refill, that nobody took, of
    what fits: its name tells what it is a refill of."""
    rng = np.random.default_rng(1)
    names = ["".join(rng.choice(list("bcdfglmnprstvz"), 6)) for _ in range(80)]
    things = [thing for _ in range(6) for thing in rng.permutation(40)]
    rows = [(f"u{n // 3}", f"{kind}{thing}") for n, thing in enumerate(things) for kind in ("thing", "fits")]
    items = [(f"{kind}{n}", names[n + 40 * (kind != "thing")]) for n in range(40) for kind in ("thing", "fits", "refill")]
    return Dataset.from_frames(
        pl.DataFrame(rows, schema=["user", "item"], orient="row"),
        pl.DataFrame(items, schema=["item", "title"], orient="row"),
        columns={"text": ["title"]},
    )


def found(co_occurrence: float, tmp_path: Path) -> tuple[float, float]:
    """How often what fits comes first to someone who has taken the thing; how often its refill is among the first three of the refills."""
    recommender = Recommender(ContextTransformer(**SMALL, co_occurrence=co_occurrence), text=HashedText(width=32))
    train(recommender, series(), training=TrainingOptions(epochs=1, batch=16))
    save(recommender, tmp_path / "run", replace=True)
    again, refills = load(tmp_path / "run"), tuple(f"refill{n}" for n in range(40))
    asked = [Query(history=[{"item": f"thing{n}"}]) for n in range(40)]
    fits = [again.recommend(query, 1).items[0].item == f"fits{n}" for n, query in enumerate(asked)]
    slates = [again.recommend(replace(query, candidates=refills), 3) for query in asked]
    return float(np.mean(fits)), float(np.mean([f"refill{n}" in {place.item for place in slate.items} for n, slate in enumerate(slates)]))


def test_a_pair_that_few_took_is_kept_and_new_items_borrow_it(tmp_path: Path) -> None:
    plain, unborrowed = found(0.0, tmp_path)
    counted, borrowed = found(2.0, tmp_path)
    assert plain < 0.5 and counted > 0.9
    assert unborrowed < 0.5 and borrowed > 0.9


def test_reasons_sum_to_the_score_and_added_items_borrow() -> None:
    recommender = Recommender(ContextTransformer(**SMALL, co_occurrence=1.0), text=HashedText(width=32))
    train(recommender, series(), training=TrainingOptions(epochs=1, batch=16))
    recommender.add_items(
        pl.DataFrame({"item": ["late"], "title": [next(t for i, t in series().items.select("id", "title").iter_rows() if i == "fits7")]})
    )
    queries = recommender.batch([Query(history=[{"item": "thing7"}]), Query()])
    with torch.inference_mode():
        whole = recommender.model.score(queries)
        reasons = recommender.model.reasons(queries, torch.arange(whole.shape[1]).expand(2, -1))
        np.testing.assert_allclose(torch.stack(list(reasons.values())).sum(0), whole, atol=1e-4)
    part = recommender.model.together  # type: ignore[union-attr]
    code = recommender.model.n_items - 1  # type: ignore[union-attr]
    borrowed = part(queries.history)[0]
    assert code in part.new and borrowed[code] > 0 and not part(queries.history)[1].any()


def test_models_that_make_no_lists_count_nothing() -> None:
    dataset = small_shop()
    lists, stars = (Recommender(ContextTransformer(**SMALL), text=HashedText(width=32)) for _ in range(2))
    train(lists, dataset, training=TrainingOptions(epochs=1))
    train(stars, dataset, training=TrainingOptions(epochs=1, heads={"rating": 1.0}))
    assert len(lists.model.together.strengths) and stars.model.together is None  # type: ignore[union-attr]
