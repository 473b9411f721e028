from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from germane.errors import ConfigError, DataError, QueryError
from germane.worlds import MomentWorld
from germane.worlds.moments import CONTEXT, GENRES, HOURS

SMALL = {"users": 20, "items": 30, "events": 4_000}


@pytest.fixture(scope="module")
def world():
    return MomentWorld(**SMALL, words=0.5, seed=3)


def test_tables(world):
    events, items, users = world.frames()
    assert events.columns == ["user", "item", "time", *CONTEXT, "words"]
    assert (events.height, items.height, users.height) == (4_000, 30, 20)
    assert events["time"].is_sorted()
    for row in events.sample(200, seed=0).iter_rows(named=True):
        assert row["time"].hour in HOURS[row["daytime"]]
    assert abs(events["words"].is_not_null().mean() - 0.5) < 0.03


def test_same_seed_same_world():
    for first, again in zip(MomentWorld(**SMALL).frames(), MomentWorld(**SMALL).frames()):
        assert first.equals(again)
    assert not MomentWorld(**SMALL).frames()[0].equals(MomentWorld(**SMALL, seed=1).frames()[0])


def test_titles_hold_the_genre_and_its_words(world):
    for item in world.frames()[1].iter_rows(named=True):
        said = item["title"].lower().replace(",", "").split()
        assert item["genre"] in said
        assert sum(word in said for word in GENRES[item["genre"]]) == 2


def test_no_word_belongs_to_two_genres():
    words = [word for words in GENRES.values() for word in words]
    assert len(set(words)) == len(words)


def test_truth_is_a_distribution(world):
    contexts = [{}, {"weather": "rain"}, {"weather": "snow", "device": "tv", "daytime": "night", "company": "alone"}]
    for words in (None, ["something funny", None, "something haunted"]):
        chances = np.exp(world.truth(["u0", "u1", "u2"], contexts, words))
        np.testing.assert_allclose(chances.sum(1), 1.0)
        assert (chances > 0).all()


def test_what_a_context_does_not_say_is_averaged_out(world):
    average = sum(share * np.exp(world.truth(["u4"], [{"device": "tv", "weather": value}])) for value, share in CONTEXT["weather"].items())
    np.testing.assert_allclose(np.exp(world.truth(["u4"], [{"device": "tv"}])), average)
    np.testing.assert_allclose(world.truth(["u4"], [{"device": "tv", "weather": None}]), world.truth(["u4"], [{"device": "tv"}]))


def test_words_point_to_their_genre(world):
    genres = world.frames()[1]["genre"].to_numpy()
    said = np.exp(world.truth(["u4"], [{}], ["Something FUNNY please"]))[0]
    silent = np.exp(world.truth(["u4"]))[0]
    inside = genres == "comedy"
    np.testing.assert_allclose(said[inside] / silent[inside], (said[inside] / silent[inside])[0])
    assert said[inside].sum() > silent[inside].sum()
    np.testing.assert_allclose(np.exp(world.truth(["u4"], [{}], ["nothing known"]))[0], silent)


def test_events_follow_the_truth():
    world = MomentWorld(users=2, items=10, events=40_000)
    events, items, _ = world.frames()
    moment = {"daytime": "evening", "weather": "sun", "device": "phone"}
    chances = np.exp(world.truth(["u1"], [moment]))[0]
    here = events.filter(user="u1", **moment)
    counts = dict(here["item"].value_counts().iter_rows())
    seen = np.array([counts.get(item, 0) for item in items["item"]]) / here.height
    assert here.height > 1_500
    assert (np.abs(seen - chances) < 5 * np.sqrt(chances * (1 - chances) / here.height) + 1e-3).all()


def test_typed_words_follow_the_truth():
    world = MomentWorld(users=1, items=10, events=40_000, words=1.0)
    events, items, _ = world.frames()
    here = events.filter(words="something witty")
    chances = np.exp(world.truth(here["user"].to_list(), here.select(*CONTEXT).to_dicts(), here["words"].to_list()))
    for code, item in enumerate(items["item"]):
        expected = chances[:, code].mean()
        assert abs((here["item"] == item).mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / here.height) + 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_the_context_matters(seed):
    world = MomentWorld(events=3_000, seed=seed)
    assert world.best_ndcg(know_context=False) < 0.6 * world.best_ndcg()


def test_without_effect_of_the_moment_the_context_is_worth_nothing():
    world = MomentWorld(**SMALL, moment=0)
    assert world.best_ndcg(know_context=False) == pytest.approx(world.best_ndcg())


def test_best_ndcg_is_what_the_truth_reaches(world):
    """Ranking by the truth reaches, measured on the events that happened, what is said to be expected."""
    events, items, _ = world.frames()
    log = world.truth(events["user"].to_list(), events.select(*CONTEXT).to_dicts(), events["words"].to_list())
    taken = np.array([int(item[1:]) for item in events["item"]])
    ranks = 1 + (log > np.take_along_axis(log, taken[:, None], axis=1)).sum(1)
    gains = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0)
    measured = events.select("user").with_columns(gain=pl.Series(gains)).group_by("user").mean()["gain"].mean()
    assert measured == pytest.approx(world.best_ndcg(), abs=0.02)
    assert items["item"].to_list() == [f"i{k}" for k in range(30)]


def test_knowing_more_never_hurts(world):
    best = world.best_ndcg()
    assert best >= world.best_ndcg(know_words=False) >= world.best_ndcg(know_words=False, know_context=False)
    assert best >= world.best_ndcg(know_context=False)
    assert 0 < world.best_ndcg(k=1) < world.best_ndcg(k=5) < world.best_ndcg(k=1000) <= 1


def test_best_ndcg_of_a_table_and_of_a_dataset_agree(world):
    events = world.frames()[0]
    dataset = world.dataset()
    assert len(dataset) == events.height
    assert world.best_ndcg(dataset.take(np.arange(3_000, 4_000))) == pytest.approx(world.best_ndcg(events.tail(1_000)))


def test_counting_genres_in_context_beats_the_best_without_context():
    """Learnable: mere counts of each item for a user's genre shares and each value's lift pass what knowing everything but the context reaches."""
    world = MomentWorld(users=200, items=100, events=20_000)
    events, items, _ = world.frames()
    train, test = events.head(18_000), events.tail(2_000)
    genre_names = list(GENRES)
    genre = np.array([genre_names.index(g) for g in items["genre"]])

    def codes(table, column, values):
        return np.array([{v: k for k, v in enumerate(values)}[v] for v in table[column]])

    users = [f"u{n}" for n in range(200)]
    item_ids = items["item"].to_list()
    taken, taken_later = codes(train, "item", item_ids), codes(test, "item", item_ids)
    score = np.log(np.bincount(taken, minlength=100) + 1.0)[None].repeat(test.height, 0)
    base = np.bincount(genre[taken], minlength=10) / len(taken)
    for column, values in {"user": users, **{name: list(shares) for name, shares in CONTEXT.items()}}.items():
        table = np.zeros((len(values), 10))
        np.add.at(table, (codes(train, column, values), genre[taken]), 1)
        lift = np.log((table + 5 * base) / (table.sum(1, keepdims=True) + 5) / base)
        score += lift[codes(test, column, values)][:, genre]
    ranks = 1 + (score > np.take_along_axis(score, taken_later[:, None], axis=1)).sum(1)
    reached = np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0).mean()
    assert world.best_ndcg(test, know_context=False) * 1.2 < reached < world.best_ndcg(test) * 1.05


def test_missing_values_are_not_recorded():
    world = MomentWorld(**SMALL, missing=0.2)
    events = world.frames()[0]
    assert abs(np.mean([events[name].is_null().mean() for name in CONTEXT]) - 0.2) < 0.02
    assert world.best_ndcg() < MomentWorld(**SMALL).best_ndcg()


def test_dataset(world):
    dataset = world.dataset()
    assert (dataset.n_users, dataset.n_items, len(dataset)) == (20, 30, 4_000)
    assert dataset.columns.context == tuple(CONTEXT)
    assert dataset.columns.words == "words"
    assert all(dataset.types[name] == "category" for name in CONTEXT)


def test_strange_queries(world):
    with pytest.raises(QueryError, match=r"no context 'wether'; it has .* Did you mean weather\?"):
        world.truth(["u0"], [{"wether": "rain"}])
    with pytest.raises(QueryError, match=r"'rian' is no weather value .* Did you mean rain\?"):
        world.truth(["u0"], [{"weather": "rian"}])
    with pytest.raises(QueryError, match="'u20' is no user of this world: it has u0 to u19"):
        world.truth(["u20"])
    with pytest.raises(QueryError, match="each query needs one"):
        world.truth(["u0", "u1"], [{}])
    with pytest.raises(DataError, match="no events to judge"):
        world.best_ndcg(pl.DataFrame({"user": []}, schema={"user": pl.String}))


@pytest.mark.parametrize("options", [{"users": 0}, {"items": 9}, {"words": 2}, {"moment": -1}, {"usres": 3}])
def test_options_out_of_range(options):
    with pytest.raises(ConfigError, match=f"MomentWorld .*{next(iter(options))}"):
        MomentWorld(**options)


def test_first_day():
    assert MomentWorld(**SMALL).frames()[0]["time"].min() >= datetime(2026, 1, 5)
