from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tomli_w
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from germane.bundle import load, save
from germane.data import Dataset, LeaveLastOut
from germane.encoders import HashedText
from germane.errors import ConfigError
from germane.evaluation import EvaluationOptions
from germane.jobs.run import evaluate_run, train_run
from germane.jobs.train import fit, judge
from germane.models import Blend, ContextTransformer, TwoStage
from germane.models.context.new_items import PLACES, lift
from germane.recommender import Recommender
from germane.sampled_lists import sampled_lists
from germane.testing.model_contract import ModelContract, small_shop
from germane.training import TrainingOptions
from germane.types import Event, Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 8, "dropout": 0.0}
SHORT = TrainingOptions(epochs=3, batch=8, warmup=5, learning_rate=1e-2)


class TestWithAShare(ModelContract):
    model = ContextTransformer(**SMALL, new_item_share=0.2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(10, 30), st.integers(1, 30), st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5, 0.9]))
def test_the_lift_gives_the_share(seed: int, queries: int, known: int, new: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = torch.randn(queries, known, generator=generator), torch.randn(queries, new, generator=generator) - 2
    share = min(share, new / PLACES)
    wanted = round(share * queries * PLACES)
    both = torch.cat([ours, theirs + lift(ours, theirs, share)], dim=1)
    got = int((both.topk(PLACES, dim=1).indices >= known).sum())
    assert got == wanted


def test_lists_shorter_than_ten_are_filled() -> None:
    assert torch.isfinite(lift(torch.randn(4, 3), torch.randn(4, 40), 0.5))
    assert torch.isfinite(lift(torch.full((4, 20), -torch.inf), torch.randn(4, 3), 0.1))


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_new_items_that_everybody_took_leave_scores_numbers(share: float) -> None:
    assert torch.isfinite(lift(torch.randn(4, 20), torch.full((4, 3), -torch.inf), share))


@cache
def big_shop(new: int = 60) -> Dataset:
    """Two halves of 60 items, each for every other user; texts name the half; beside them ``new`` items that nobody took."""
    rng = np.random.default_rng(0)
    rows = [(f"u{user}", f"i{int(rng.integers(0, 60)) * 2 + user % 2}") for user in range(60) for _ in range(12)]
    names = ["sunscreen sandals", "umbrella boots"]
    items = {
        "item": [*(f"i{n}" for n in range(120)), *(f"n{n}" for n in range(new))],
        "title": [*(f"{names[n % 2]} number{n}" for n in range(120)), *(f"{names[n % 2]} new{n}" for n in range(new))],
    }
    return Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item"], orient="row"), pl.DataFrame(items), columns={"text": ["title"]})


def trained(share: float | None, dataset: Dataset, **training: object) -> Recommender:
    recommender = Recommender(ContextTransformer(**SMALL, new_item_share=share), text=HashedText(width=32))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT.model_copy(update=training))
    recommender.remember(dataset)
    return recommender


def share_of(recommender: Recommender) -> float:
    slates = recommender.recommend_many([Query(user=f"u{n}") for n in range(60)], 10)
    return float(np.mean([place.item.startswith("n") for slate in slates for place in slate.items]))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_lists_hold_the_share_and_keep_both_orders(share: float) -> None:
    dataset = big_shop()
    plain, shared = trained(None, dataset), trained(share, dataset)
    assert share_of(shared) == pytest.approx(share, abs=0.06)
    one, other = (r.model.score(r.batch([Query(user="u3")]))[0] for r in (plain, shared))
    torch.testing.assert_close(one[:120], other[:120])
    moved = other[120:] - one[120:]
    torch.testing.assert_close(moved, moved[:1].expand(60), atol=1e-4, rtol=0)


def test_training_again_on_all_settles_again() -> None:
    assert share_of(trained(0.3, big_shop(), refit=True)) == pytest.approx(0.3, abs=0.06)


def test_items_added_later_get_their_share_and_a_run_keeps_it(tmp_path: Path) -> None:
    recommender = trained(0.2, big_shop(0))
    assert recommender.model.new.lift == 0  # type: ignore[union-attr]
    recommender.add_items(pl.DataFrame({"item": [f"n{n}" for n in range(40)], "title": ["umbrella boots", "sandals"] * 20}))
    assert share_of(recommender) == pytest.approx(0.2, abs=0.06)
    save(recommender, tmp_path / "run")
    again = load(tmp_path / "run")
    assert share_of(again) == share_of(recommender)
    reasons = {reason.kind: reason.weight for reason in next(p for p in again.recommend(Query(user="u1"), 150).items if p.item[0] == "n").reasons}
    assert reasons["new"] == pytest.approx(float(again.model.new.lift))  # type: ignore[union-attr]
    old = next(place for place in again.recommend(Query(user="u1"), 150).items if place.item[0] == "i")
    assert "new" not in {reason.kind for reason in old.reasons}


def test_one_new_item_is_not_shown_to_everyone() -> None:
    recommender = trained(1.0, big_shop(0))
    recommender.add_items(pl.DataFrame({"item": ["n"], "title": ["umbrella boots"]}))
    assert share_of(recommender) == pytest.approx(0.01, abs=0.005)  # of ten places; it stands in a tenth of the lists


def test_a_blend_settles_its_members() -> None:
    dataset = big_shop()
    members = [{"use": "ContextTransformer", **SMALL, "new_item_share": 0.5}, {"use": "ItemNeighbours", "weight": 0.01}]
    recommender = Recommender(Blend(members=members), text=HashedText(width=32))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.remember(dataset)
    assert share_of(recommender) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("above", ["blend", "ranker", "ranker of a blend"])
def test_the_share_is_of_the_lists_that_are_shown(above: str, share: float, tmp_path: Path) -> None:
    """And not of those that a member or the first model would make alone."""
    dataset, first = big_shop(), {"use": "ContextTransformer", **SMALL, "new_item_share": share}
    both = {"use": "Blend", "members": [first, {"use": "ItemNeighbours", "weight": 1.0}]}
    made = {"blend": Blend(members=both["members"]), "ranker": TwoStage(first=first), "ranker of a blend": TwoStage(first=both)}
    recommender = Recommender(made[above], text=HashedText(width=32))
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.remember(dataset)
    assert share_of(recommender) == pytest.approx(share, abs=0.06 if share else 0.0)
    recommender.add_items(pl.DataFrame({"item": [f"n more {n}" for n in range(20)], "title": ["umbrella boots", "sandals"] * 10}))
    assert share_of(recommender) == pytest.approx(share, abs=0.06 if share else 0.0)
    save(recommender, tmp_path / "run")
    again = load(tmp_path / "run")
    assert share_of(again) == share_of(recommender)
    queries, items = again.batch([Query(user="u3"), Query()]), torch.arange(200).expand(2, -1)
    with torch.inference_mode():
        parts = again.model.reasons(queries, items)
        torch.testing.assert_close(sum(parts.values()), again.model.score(queries), atol=1e-4, rtol=1e-5)
    assert bool(parts["new"][:, 120:].any()) and not bool(parts["new"][:, :120].any())


@pytest.mark.parametrize("above", ["alone", "blend"])
def test_lists_of_clicks_hold_the_share_and_chances_stay(above: str) -> None:
    """The share is of lists: what is said of a click knows nothing of it."""
    dataset, member = big_shop(0), {"use": "ContextTransformer", **SMALL, "new_item_share": 0.2}
    recommender = Recommender(
        ContextTransformer(**SMALL, new_item_share=0.2) if above == "alone" else Blend(members=[member] * 2), text=HashedText(width=32)
    )
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT.model_copy(update={"heads": {"click": 1.0}, "epochs": 1}))
    recommender.remember(dataset)
    for part in range(2):  # what was settled before counts for nothing
        titles = ["umbrella boots", "sandals"] * 20
        recommender.add_items(pl.DataFrame({"item": [f"n{part} {n}" for n in range(40)], "title": titles}))
        assert share_of(recommender) == pytest.approx(0.2, abs=0.06)
    queries, items = recommender.batch([Query(user="u3")]), torch.arange(200)[None]
    with torch.inference_mode():
        lifted = recommender.model.score(queries) - recommender.model.clicks(queries, items)
        parts = recommender.model.reasons(queries, items)
        torch.testing.assert_close(sum(parts.values()), recommender.model.score(queries), atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(lifted[:, :120], torch.zeros(1, 120), atol=1e-5, rtol=0)
    torch.testing.assert_close(lifted[:, 120:], parts["new"][:, 120:], atol=1e-4, rtol=0)


def test_the_row_without_the_ranker_holds_the_share_too(tmp_path: Path) -> None:
    """As the lists beside it do, where all places are new items' and nothing known is found; the first of the run itself still adds nothing."""
    dataset = big_shop(100)
    ids = dataset.users["id"].gather(dataset.user_codes), dataset.items["id"].gather(dataset.item_codes)
    pl.DataFrame({"user": ids[0], "item": ids[1]}).write_csv(tmp_path / "events.csv")
    dataset.items.rename({"id": "item"}).write_csv(tmp_path / "items.csv")
    said = {
        "data": {"events": "events.csv", "items": "items.csv", "columns": {"user": "user", "item": "item", "text": ["title"]}},
        "text": {"use": "HashedText", "width": 32},
        "model": {"use": "ContextTransformer", **SMALL, "new_item_share": 1.0},
        "ranker": {"use": "CrossNetwork", "epochs": 1, "among": 120},
        "training": {"epochs": 1, "batch": 8},
        "evaluation": {"variants": [], "segments": ["all"]},
    }
    (tmp_path / "shop.toml").write_text(tomli_w.dumps(said))
    run, judged = train_run(tmp_path / "shop.toml", tmp_path / "run")
    assert {row["variant"]: row["metrics"]["recall@10"]["value"] for row in judged.rows} == {"as trained": 0, "without ranker": 0}
    again = load(run).model
    assert isinstance(again, TwoStage) and again.new is not None
    assert again.first.new.lift == 0 != again.new.lift  # type: ignore[attr-defined]
    assert [row["metrics"] for row in evaluate_run(run).rows] == [row["metrics"] for row in judged.rows]


def test_lists_are_sampled_in_the_moment_of_the_newest_event() -> None:
    """As people ask, and as training settles: not in no moment at all."""
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=32))
    dataset = small_shop()
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT.model_copy(update={"epochs": 1}))
    recommender.remember(dataset)
    recommender.record("nobody", Event("i1", context={"weather": "rain", "mood": "odd"}))
    users = recommender.histories.users()
    queries, _ = sampled_lists(recommender._reader, recommender.histories, recommender.catalogue, True, recommender.newest, 10)
    wet = [user == "nobody" or int(user[1:]) % 2 == 1 for user in users]
    wanted = recommender.batch([Query(user=user, context={"weather": "rain" if rain else "sun"}) for user, rain in zip(users, wet, strict=True)])
    assert torch.equal(queries.moment.codes, wanted.moment.codes) and len(queries.moment.codes.unique(dim=0)) == 2


def test_the_shelf_of_new_items_is_judged_alone() -> None:
    dataset = Dataset.from_frames(
        {"user": [f"u{n // 4}" for n in range(80)], "item": [f"i{n % 4 if n % 4 < 3 else n % 12}" for n in range(80)]},
        pl.DataFrame({"item": [f"i{n}" for n in range(40)], "title": [f"t{n % 7}" for n in range(40)]}),
        columns={"text": ["title"]},
    )
    split = LeaveLastOut(validation=0).divide(dataset)
    recommender = Recommender(ContextTransformer(**SMALL), text=HashedText(width=32))
    fit(recommender, dataset, split, SHORT)
    rows = {row["segment"]: row for row in judge(recommender, dataset, split, EvaluationOptions(k=(1, 40))).rows}
    whole, shelf = rows["new items"], rows["new among new"]
    assert whole["n"] == shelf["n"] > 0
    assert shelf["metrics"]["mrr@40"]["value"] >= whole["metrics"]["mrr@40"]["value"]
    assert shelf["metrics"]["recall@40"]["value"] == 1  # 37 new items
    assert "new among new" not in {
        row["segment"] for row in judge(recommender, dataset, split, EvaluationOptions(segments=("all", "new items"))).rows
    }


def test_likeness_of_new_items_counts_as_often_as_said() -> None:
    dataset = big_shop()
    recommender = trained(None, dataset)
    model, queries, items = recommender.model, recommender.batch([Query(user="u3", words="umbrella")]), torch.arange(180)[None]
    assert isinstance(model, ContextTransformer)
    with torch.inference_mode():
        plain, parts = model.score(queries)[0], model.reasons(queries, items)
        model.options = model.options.model_copy(update={"new_item_likeness": 3.0})
        other, more = model.score(queries)[0], model.reasons(queries, items)
        assert model.items.match is not None and model.together is not None
        named = model.items.match(queries.words)[0] * torch.where(model.items.known, 1.0, 3.0)
        product = (model.query_vectors(queries) @ model.item_vectors(items[0]).T)[0] + named + model.together(queries.history)[0]
    torch.testing.assert_close(other[:120], plain[:120])
    torch.testing.assert_close(more["content"][0, 120:], 3 * parts["content"][0, 120:])
    assert (more["words"][0, 120:] != parts["words"][0, 120:]).any()
    for scores in (product, sum(more.values())[0]):  # type: ignore[index]
        torch.testing.assert_close(scores, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_lies_between_0_and_1(share: float) -> None:
    with pytest.raises(ConfigError, match="new_item_share"):
        ContextTransformer(new_item_share=share)
