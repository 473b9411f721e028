from __future__ import annotations

import pytest

from germane.errors import ConfigError
from germane.worlds import Checkerboard


@pytest.mark.parametrize("options", [{}, {"users": 7, "items": 6}, {"users": 30, "items": 10, "held_out": 3}])
def test_met_and_right_make_up_the_camp(options):
    world = Checkerboard(**options)
    events, _, users = world.frames()
    for user in users["user"]:
        met = events.filter(user=user)["item"].to_list()
        right = world.right(user)
        assert len(right) == world.options.held_out and not set(met) & set(right)
        camp = int(user[1:]) % 2
        assert sorted(met + right) == sorted(f"i{k}" for k in range(camp, world.options.items, 2))


def test_titles_say_the_camp():
    items = Checkerboard(items=6).frames()[1]
    assert items.row(3) == ("i3", "odd thing 3", "odd")


def test_every_item_is_met_by_someone():
    world = Checkerboard()
    assert world.frames()[0]["item"].n_unique() == world.options.items


def test_the_seed_decides_the_order_only():
    first, again, other = (Checkerboard(seed=seed).frames()[0] for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)
    assert first.select("user", "item").sort("user", "item").equals(other.select("user", "item").sort("user", "item"))


def test_dataset():
    dataset = Checkerboard(users=8, items=6).dataset()
    assert (dataset.n_users, dataset.n_items, len(dataset)) == (8, 6, 16)
    assert dataset.has_times
    assert dataset.columns.text == ("title",)


@pytest.mark.parametrize(("options", "sentence"), [({"items": 7}, "even number"), ({"users": 1}, "users"), ({"itmes": 8}, "Did you mean items")])
def test_options_out_of_range(options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Checkerboard(**options)
