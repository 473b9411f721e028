from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from germane import times
from germane.data import ByTime, Dataset, NoSplit
from germane.encoders import HashedText, NoText
from germane.errors import AbilityError, DataError, QueryError
from germane.evaluation import EvaluationOptions, cases_of, judge_pairs
from germane.features import Categories, Place
from germane.jobs.train import train
from germane.models import ContentNeighbours, ContextTransformer, Popular
from germane.policies import PlackettLuce
from germane.recommender import Recommender
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions
from germane.types import Event, Query


@pytest.fixture
def shop() -> Recommender:
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    return train(Recommender(model, text=HashedText(width=32)), small_shop(), training=TrainingOptions(epochs=1))


def codes(recommender: Recommender, query: Query) -> set[str]:
    return {note.code for note in recommender.recommend(query, n=3).notes}


def test_unknown_things_are_noted(shop: Recommender) -> None:
    assert codes(shop, Query(user="nobody")) == {"unknown_user"}
    assert codes(shop, Query(context={"weather": "hail"})) == {"unknown_context_value"}
    assert codes(shop, Query(history=("i1", "ghost"))) == {"unknown_item"}
    assert "unknown_candidate" in codes(shop, Query(candidates=("i1", "ghost")))


def test_many_unknown_ids_are_one_note(shop: Recommender) -> None:
    ghosts = tuple(f"ghost {n % 2000}" for n in range(4000))
    slate = shop.recommend(Query(history=("i1", *ghosts), candidates=("i2", *ghosts, "x" * 1000)), n=1)
    assert [note.code for note in slate.notes] == ["unknown_item", "unknown_candidate"] and len(slate.items) == 1
    few = "such as 'ghost 0', 'ghost 1', 'ghost 2'; left out."
    assert slate.notes[0].detail == f"2,000 items in the history are not in the catalogue, {few}"
    assert slate.notes[1].detail == f"2,001 candidates are not in the catalogue, {few}"
    (one,) = shop.recommend(Query(history=("i1", "x" * 1000)), n=1).notes
    assert one.detail == f"item '{'x' * 60}…' in the history is not in the catalogue; left out."
    (one,) = shop.recommend(Query(user="x" * 1000), n=1).notes
    assert one.detail.startswith("user 'xxx") and len(one.detail) < 200
    for n in range(200):
        shop.record("u0", Event(f"gone {n}"))
    assert [note.code for note in shop.recommend(Query(user="u0"), n=1).notes] == ["unknown_item"]


def test_bad_queries_are_refused(shop: Recommender) -> None:
    with pytest.raises(QueryError, match="Did you mean weather"):
        shop.recommend(Query(context={"wether": "rain"}))
    with pytest.raises(QueryError, match="not a number"):
        shop.recommend(Query(context={"degrees": "warm"}))
    for n in (0, 10**9, -1):
        with pytest.raises(QueryError, match="between 1 and 1,000"):
            shop.recommend(Query(), n=n)
    with pytest.raises(QueryError, match="not in the catalogue"):
        shop.recommend(Query(filter={"eq": ["colour", "red"]}))


def test_seen_items_are_left_out_unless_asked(shop: Recommender) -> None:
    seen = shop.histories.seen("u0")
    assert not seen & {i.item for i in shop.recommend(Query(user="u0"), n=24).items}
    assert seen & {i.item for i in shop.recommend(Query(user="u0", exclude_seen=False), n=24).items}
    assert {i.item for i in shop.recommend(Query(user="u0", candidates=tuple(seen)), n=24).items} == seen
    replaced = shop.recommend(Query(user="u0", history=("i2",)), n=24)
    assert "i2" not in {i.item for i in replaced.items} and seen & {i.item for i in replaced.items}


def test_filters_hold(shop: Recommender) -> None:
    slate = shop.recommend(Query(filter={"in": ["id", ["i3", "i4"]]}), n=5)
    assert {i.item for i in slate.items} == {"i3", "i4"}
    assert [note.code for note in slate.notes] == ["short_list"]


def test_reasons_sum_to_scores(shop: Recommender) -> None:
    slate = shop.recommend(Query(user="u3", context={"weather": "rain"}, words="boots"), n=10)
    for place in slate.items:
        assert sum(reason.weight for reason in place.reasons) == pytest.approx(place.score, abs=1e-4)
    assert {r.kind for r in slate.items[0].reasons} == {"history", "moment", "words", "content", "popularity"}


def test_items_come_and_go(shop: Recommender) -> None:
    assert shop.add_items(pl.DataFrame({"item": ["new"], "title": ["umbrella boots"]})) == 1
    assert shop.add_items(pl.DataFrame({"item": ["new"], "title": ["rubber boots"]})) == 0
    assert shop.catalogue.items.filter(pl.col("id") == "new")["title"].to_list() == ["rubber boots"]
    assert shop.recommend(Query(candidates=("new",))).items
    shop.remove_item("new")
    assert not shop.recommend(Query(candidates=("new",))).items
    with pytest.raises(DataError, match="no column"):
        shop.add_items(pl.DataFrame({"name": ["x"]}))
    with pytest.raises(QueryError):
        shop.remove_item("ghost")


def test_where_an_item_is_is_a_fact_of_it() -> None:
    """Half of the shops lie in one town and half in another; a point of the event says nothing of the item's."""
    rows = {"user": ["a", "a", "b", "b"], "item": ["i0", "i1", "i2", "i3"], "lat": [50.0] * 4, "lon": [8.0] * 4}
    items = {"item": ["i0", "i1", "i2", "i3"], "lat": [48.85, 48.86, 52.5, 52.51], "lon": [2.35, 2.35, 13.4, 13.4]}
    parts = [Categories(), Place(cells=(1.0,))]
    for own, points in ((items, 4), ({"item": items["item"], "lat": items["lat"]}, 0)):  # half a place is none
        data = Dataset.from_frames(rows, own, columns={"place": ["lat", "lon"]})
        recommender = Recommender(ContextTransformer(width=8, blocks=1), features=parts)
        recommender.prepare(data)
        assert recommender.content.side_dense.shape == (4, points)
    recommender = Recommender(ContextTransformer(width=8, blocks=1), features=parts)
    recommender.prepare(Dataset.from_frames(rows, items, columns={"place": ["lat", "lon"]}))
    assert recommender.content.side_codes.ravel().tolist() == [1, 1, 2, 2]
    recommender.add_items(pl.DataFrame({"item": ["new"], "lat": ["48.87"], "lon": ["2.36"]}))
    assert recommender.content.side_codes.ravel().tolist() == [1, 1, 2, 2, 1]
    cells = {"item": ["i0", "i1", "i2", "i3"], "cell": ["u", "u", "v", "v"]}
    recommender.prepare(Dataset.from_frames({**rows, "cell": ["u", "v", "u", "v"]}, cells, columns={"place": "cell"}))
    assert recommender.content.side_codes.ravel().tolist() == [1, 1, 2, 2]


def test_a_stranger_becomes_known(shop: Recommender) -> None:
    shop.record("stranger", Event("i1"))
    slate = shop.recommend(Query(user="stranger"), n=24)
    assert "i1" not in {i.item for i in slate.items} and not slate.notes[:-1]


def test_exploring_states_the_chance(shop: Recommender) -> None:
    shop.policy = PlackettLuce(temperature=1.0)
    slate = shop.recommend(Query(user="u0"), n=5, rng=np.random.default_rng(0))
    assert all(0 < place.propensity <= 1 for place in slate.items) and slate.policy == "PlackettLuce"
    greedy = shop.recommend(Query(user="u0"), n=5, explore=False)
    assert greedy.policy == "Greedy" and [i.propensity for i in greedy.items] == [1.0] * 5
    assert [i.score for i in greedy.items] == sorted((i.score for i in greedy.items), reverse=True)


def test_pairs_are_scored(shop: Recommender) -> None:
    scores = shop.score(pl.DataFrame({"user": ["u0", "u0"], "item": ["i0", "ghost"], "weather": ["sun", "sun"]}))
    assert np.isfinite(scores[0]) and np.isnan(scores[1])
    with pytest.raises(AbilityError, match="no rating head"):
        shop.score(pl.DataFrame({"user": ["u0"], "item": ["i0"]}), head="rating")
    with pytest.raises(DataError, match="no column"):
        shop.score(pl.DataFrame({"usr": ["u0"], "item": ["i0"]}))


def test_lists_without_a_person(shop: Recommender) -> None:
    assert len(shop.similar("i1", 3)) == 3 and "i1" not in dict(shop.similar("i1", 23))
    assert shop.popular(1)[0][1] == max(shop.catalogue.taken)
    assert len(shop.trending(4)) == 4
    assert shop.latest(1)[0][0] == shop.catalogue.items["id"][-1]


def test_what_is_alike_needs_vectors_or_texts() -> None:
    counted = train(Recommender(Popular(), text=NoText()), small_shop())
    with pytest.raises(AbilityError, match="Popular has no item vectors, and there are no texts to compare: take such as ContextTransformer"):
        counted.similar("i1", 3)
    read = train(Recommender(Popular(), text=HashedText(width=32)), small_shop())
    assert len(read.similar("i1", 3)) == 3


def test_it_tells_what_moments_it_knows(shop: Recommender) -> None:
    told = shop.moments()
    names = {column["name"] for column in told["columns"]}
    assert names == {"time", "weather", "degrees"} and told["words"]
    example = {k: v for k, v in told["example"].items() if k != "n"}
    assert shop.recommend(Query(**example), n=told["example"]["n"]).items


def test_a_query_without_a_time_is_asked_when_all_that_is_known_has_happened(shop: Recommender) -> None:
    """Histories hold the held-out events too, so no earlier moment would do."""
    batch = shop.batch([Query(user=user) for user in shop.histories.users()])
    assert (batch.times == small_shop().times.max()).all()
    assert (batch.times[:, None] - batch.ages >= small_shop().times.min() - 1).all() and batch.ages[:, -1].min() == 0


def test_it_tells_which_kind_of_event_a_choice_is() -> None:
    """The target; else what is most common, whatever came last; else nothing."""
    kinds = ["view"] * 5 + ["buy"] * 2
    frame = pl.DataFrame({"user": list("aabbccc"), "item": list("xyxyxyz"), "time": range(7), "kind": kinds})
    for rules, with_kinds, kind in (({"target": "buy"}, True, "buy"), (None, True, "view"), (None, False, None)):
        columns = {"time": "time", **({"kind": "kind"} if with_kinds else {})}
        events = frame if with_kinds else frame.drop("kind")
        told = train(Recommender(Popular()), Dataset.from_frames(events, columns=columns, rules=rules))
        assert told.moments()["kind"] == kind
        if rules is None and with_kinds:
            for _ in range(9):
                told.record("c", Event("y", kind="buy"))  # nothing new
            assert told.moments()["kind"] == "view"
            told.forget("a")
            told.forget("b")
            assert told.moments()["kind"] == "buy"


def test_nobody_is_told_of_a_history_that_is_not_there(shop: Recommender) -> None:
    """A stranger's list rests on what strangers take, not on "what was taken before"."""
    for query, said in ((Query(), "fits those who are new here"), (Query(history=("i1",)), "fits what was taken before")):
        reasons = shop.recommend(query, n=1).items[0].reasons
        assert [reason.text for reason in reasons if reason.kind == "history"] == [said]


def test_pairs_with_a_time_are_scored_as_of_then() -> None:
    """As judging asks: by a history that ends before the pair, which neither holds it nor what came later."""
    dataset = small_shop()
    split = ByTime().divide(dataset)
    model = ContextTransformer(width=16, blocks=1, length=10)
    recommender = train(Recommender(model, exclude_seen=False), dataset, split=ByTime(), training=TrainingOptions(loss="mse", epochs=2))
    judged = judge_pairs(recommender.model, cases_of(recommender, dataset, split, "test", EvaluationOptions()))["rating"].to_numpy()
    held = dataset.events[split.test]
    users, items = dataset.users["id"].gather(held["user"]), dataset.items["id"].gather(held["item"])
    pairs = held.select(user=users, item=items, time="time", weather="context:weather", degrees="context:degrees")
    np.testing.assert_allclose(recommender.score(pairs), judged, atol=1e-5)
    unknown = recommender.score(pairs.with_columns(time=pl.lit(None, pl.Float64)))  # no time: all that is known is known
    assert np.abs(unknown - judged).max() > 1e-3


def test_a_live_query_knows_events_of_clocks_that_are_ahead(shop: Recommender) -> None:
    newest = shop.histories.of("u0")[-1]
    assert isinstance(newest.time, float)
    query = Query(user="u0", time=times.Wall(newest.time - 60))
    assert shop.batch([query]).history[0, -1] == shop.catalogue.codes[newest.item]
    assert shop.batch([query], as_of=True).history[0, -1] == shop.catalogue.codes[shop.histories.of("u0")[-2].item]
    shop.histories.put("u0", [Event("i1"), Event("i2", newest.time)])  # no time is no later one
    assert shop.batch([query], as_of=True).history.tolist() == [[shop.catalogue.codes["i1"]]]


def test_ids_that_are_numbers_in_tables_are_the_same_in_queries() -> None:
    frame = pl.DataFrame({"user": [n % 4 for n in range(24)], "item": [n % 6 for n in range(24)], "time": range(24)})
    told = train(Recommender(Popular()), Dataset.from_frames(frame, columns={"time": "time"}))
    slate = told.recommend(Query(user=3, candidates=[0, 1]), n=2, explore=False)
    assert slate.user == "3" and not slate.notes and [place.item for place in slate.items] == ["0", "1"]
    told.record(3, Event(2))
    assert told.histories.of("3")[-1].item == "2" and "2" in told.histories.seen("3") and told.histories.users() == ["0", "1", "2", "3"]
    told.remove_item(5)
    assert "5" not in [place.item for place in told.recommend(Query(exclude_seen=False), n=6).items]
    told.forget(3)
    assert "3" not in told.histories.users() and not told.histories.seen("3")


def test_what_is_no_noun_is_a_sentence(shop: Recommender) -> None:
    for wrong in ("u3", {"user": "u3"}):
        with pytest.raises(QueryError, match=r"is no query: give a Query, such as Query\(user='u1'\)") as caught:
            shop.recommend(wrong)  # type: ignore[arg-type]
        assert caught.value.field == "query"
    before = list(shop.histories.of("u3"))
    for event, said in (("i1", r"'i1' is no event: give an Event, such as Event\(item='i1'\)"), (Event("i1", context=[1]), "names with values")):
        with pytest.raises(QueryError, match=said):
            shop.record("u3", event)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="user = None is no id"):
        shop.record(None, Event("i1"))  # type: ignore[arg-type]
    assert shop.histories.of("u3") == before
    with pytest.raises(QueryError, match=r"item = 1\.5 is no id"):
        shop.similar(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event("i1", context={"degrees": "warm"}), r"event\.context degrees = 'warm' is not a number"),
        (Event("i1", context={"degrees": [1]}), r"degrees = \[1\] is not a number"),
        (Event("i1", value="x"), "event value = 'x' is not a number"),  # type: ignore[arg-type]
        (Event("i1", context={"nope": object()}), "holds what cannot be kept"),
    ],
)
def test_what_no_answer_could_read_is_not_kept(shop: Recommender, event: Event, said: str) -> None:
    before = list(shop.histories.of("u3"))
    with pytest.raises(QueryError, match=said):
        shop.record("u3", event)
    assert shop.histories.of("u3") == before
    if "nope" not in event.context:
        with pytest.raises(QueryError, match=said.replace("event", r"history\[0\]", 1) if said.startswith("event") else said):
            shop.recommend(Query(history=(event,)))


def test_a_model_is_asked_once_for_what_comes_or_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """New items are added, what is said otherwise of cold ones is changed, and neither is done for the other."""
    events = {"user": list("aabb") * 3, "item": list("xyxz") * 3}
    items = {"item": list("xyzw"), "title": ["red lamp", "blue lamp", "green chair", "old chair"], "price": [1.0, 2.0, 3.0, 4.0]}
    dataset = Dataset.from_frames(events, items, columns={"text": ["title"]})
    shop = train(Recommender(ContentNeighbours(), text=HashedText(width=16)), dataset, split=NoSplit())
    asked: list[str] = []
    for name in ("add_items", "change_items"):
        way = getattr(shop.model, name)
        monkeypatch.setattr(shop.model, name, lambda *given, name=name, way=way: (asked.append(name), way(*given))[1])
    content = shop.content
    shop.add_items({"item": ["w"], "price": [5.0]})  # read by nothing
    assert asked == [] and shop.content is content
    shop.add_items({"item": ["v"], "title": ["a new lamp"]})
    assert asked == ["add_items"]
    shop.add_items({"item": ["w"], "title": ["a quiet garden"]})
    assert asked == ["add_items", "change_items"]
    shop.add_items({"item": ["w", "u"], "title": ["a loud garden", "one more"]})
    assert asked[2:] == ["add_items", "change_items"]
