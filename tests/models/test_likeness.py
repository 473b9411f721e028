from __future__ import annotations

import polars as pl
import torch

from germane.data import Dataset, LeaveLastOut
from germane.encoders import NoText
from germane.jobs.train import fit
from germane.models import ContextTransformer
from germane.models.context.likeness import ContentLikeness
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Query

SMALL = {"width": 16, "blocks": 1, "length": 10, "text_width": 8, "dropout": 0.0}
SHORT = TrainingOptions(epochs=3, batch=8, warmup=5, learning_rate=1e-2)


def test_means_up_to_each_place_fade() -> None:
    likeness = ContentLikeness(text_width=2)
    with torch.no_grad():
        likeness.fade.copy_(torch.tensor([0.0, 100.0]))  # a half; not at all
        likeness.weight.copy_(torch.tensor([2.0, 3.0]))
    fixed = torch.tensor([[[0.0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]]])
    means = likeness.means(fixed)
    assert not means[0, 0].any()
    torch.testing.assert_close(means[0, 1], torch.tensor([1.0, 0, 1, 0]))
    torch.testing.assert_close(means[0, 2], torch.tensor([0.5 / 1.25**0.5, 1 / 1.25**0.5, 0.5**0.5, 0.5**0.5]))
    torch.testing.assert_close(likeness.weighed(means)[0, 1], torch.tensor([2.0, 0, 3, 0]))


def brands() -> Dataset:
    """Users keep to a brand; each item but the new ones is taken; nothing but the brand tells the new items apart."""
    rows = [(f"u{user}", f"i{user % 4 + 4 * ((user + step) % 10)}") for user in range(80) for step in range(6)]
    items = {"item": [*(f"i{n}" for n in range(40)), *(f"n{n}" for n in range(8))], "brand": [f"b{n % 4}" for n in range(48)]}
    return Dataset.from_frames(pl.DataFrame(rows, schema=["user", "item"], orient="row"), pl.DataFrame(items), columns={"side": ["brand"]})


def test_side_features_alone_place_new_items() -> None:
    dataset = brands()
    recommender = Recommender(ContextTransformer(**SMALL), text=NoText())
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.remember(dataset)
    for user in range(8):
        slate = recommender.recommend(Query(user=f"u{user}", candidates=tuple(f"n{n}" for n in range(8))), 2)
        assert {int(place.item[1:]) % 4 for place in slate.items} == {user % 4}
        assert {reason.kind for reason in slate.items[0].reasons} >= {"content"}


def test_identities_are_not_dropped_where_they_are_all_that_is_known() -> None:
    dataset = brands()
    for side in (False, True):
        model = ContextTransformer(**SMALL, identity_dropout=0.5, side=side)
        recommender = Recommender(model, text=NoText())
        recommender.prepare(dataset)
        model.train()
        model.items.drop()
        assert bool((model.items.known & ~model.items.familiar()).any()) is side


def test_items_added_later_have_traits() -> None:
    dataset = brands()
    recommender = Recommender(ContextTransformer(**SMALL), text=NoText())
    fit(recommender, dataset, LeaveLastOut().divide(dataset), SHORT)
    recommender.add_items(pl.DataFrame({"item": ["late"], "brand": ["b2"]}))
    fixed = recommender.model.items.fixed  # type: ignore[union-attr]
    assert torch.equal(fixed[-1], fixed[2]) and fixed[-1].any()
