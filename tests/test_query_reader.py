"""What a query says is read as training read cells, and what does not count is told."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import germane
from germane.data import Dataset, NoSplit
from germane.encoders import HashedText
from germane.errors import QueryError
from germane.models import ContextTransformer, Popular
from germane.recommender import Recommender
from germane.training import TrainingOptions
from germane.types import Event, Query
from germane.wire import query_from_json

EVENTS = {
    "user": list("aabbccdd"),
    "item": list("xyxzyzxy"),
    "kind": ["view", "buy"] * 4,
    "time": range(8),
    "holiday": [True, False] * 4,
    "hour": [3, 4] * 4,
    "mood": ["happy|calm", "calm", "sad", "happy"] * 2,
    "when": ["2026-05-01T21:00"] * 8,
    "lat": [48.0, 49.0] * 4,
    "lon": [2.0, 3.0] * 4,
}
ITEMS = {"item": list("xyz"), "title": ["one", "two", "three"], "instock": [True, False, True]}
COLUMNS = {"time": "time", "kind": "kind", "context": ["holiday", "hour", "mood", "when"], "place": ["lat", "lon"], "text": ["title"]}


def made(events: pl.DataFrame, items: pl.DataFrame, reader: object = None) -> Recommender:
    dataset = Dataset.from_frames(events, items, columns=COLUMNS, types={"mood": "categories"})
    recommender = Recommender(reader or ContextTransformer(width=8, blocks=1, length=8), text=HashedText(width=16), exclude_seen=False)
    return germane.train(recommender, dataset, split=NoSplit(), training=TrainingOptions(epochs=1))


def as_csv(columns: dict) -> pl.DataFrame:
    """As pandas writes it: all text, ``True`` and ``False``."""
    return pl.DataFrame({name: [str(cell) for cell in cells] for name, cells in columns.items()})


@pytest.fixture(scope="module", params=["typed", "csv"])
def shop(request: pytest.FixtureRequest) -> Recommender:
    return made(pl.DataFrame(EVENTS), pl.DataFrame(ITEMS)) if request.param == "typed" else made(as_csv(EVENTS), as_csv(ITEMS))


def notes(recommender: Recommender, **query: object) -> list[tuple[str, str]]:
    return [(note.code, note.detail) for note in recommender.recommend(Query(**query), n=1).notes]


def codes(recommender: Recommender, context: dict) -> list[int]:
    return recommender.batch([Query(time=5, context=context)]).moment.codes[0].tolist()


def of_row(recommender: Recommender, row: int, *names: str) -> list[int]:
    """Codes of a training row, of these columns alone."""
    event = recommender.histories.of(EVENTS["user"][row])[row % 2]
    return codes(recommender, {name: value for name, value in event.context.items() if name in names})


def test_true_is_one_word(shop: Recommender) -> None:
    known = {fact["value"] for fact in shop.features.known()["holiday"]["values"]}
    assert known == {"true", "false"}
    for said in (True, "true", "True", "TRUE"):
        assert not notes(shop, context={"holiday": said})
        assert codes(shop, {"holiday": said}) == of_row(shop, 0, "holiday") != codes(shop, {"holiday": not said or False})
    told = shop.batch([Query(history=(Event("x", 1, context={"holiday": True}),))]).history_moments
    assert told.codes[0, -1].tolist().count(0) < shop.features.shape[0] - 2  # the clock's two, and the holiday
    shop.record("new", Event("x", 9, context={"holiday": True}))
    assert [item for item, _ in shop.popular(context={"holiday": True})] == [item for item, _ in shop.popular(context={"holiday": "true"})] != []
    shop.forget("new")


def test_true_is_one_word_in_filters(shop: Recommender) -> None:
    for said in (True, "true", "True"):
        for given in ({"eq": ["instock", said]}, {"in": ["instock", [said]]}):
            assert {place.item for place in shop.recommend(Query(filter=given)).items} == {"x", "z"}


def test_a_run_from_before_knows_true_too(shop: Recommender) -> None:
    from germane.features import Categories

    part = Categories()
    part.fit(pl.DataFrame({"holiday": ["True", "False"]}), ["holiday"], {})
    assert not part.unknown("holiday", True) and part.encode(pl.DataFrame({"holiday": ["true"]})).codes.item() == 2
    part.fit(pl.DataFrame({"holiday": ["True", "unsure"]}), ["holiday"], {})
    assert part.unknown("holiday", True)


def test_a_whole_number_has_no_point(shop: Recommender) -> None:
    assert not notes(shop, context={"hour": 3.0}) and codes(shop, {"hour": 3.0}) == codes(shop, {"hour": "3"})
    assert notes(shop, context={"hour": 3.5}) == [("unknown_context_value", "context hour = 3.5 was never seen in training; left out.")]
    assert not notes(shop, context={"hour": "3.0"}) and codes(shop, {"hour": 3.0}) == codes(shop, {"hour": "3.0"})


def test_a_run_from_before_knows_whole_numbers_by_point_and_without() -> None:
    from germane.features import Categories

    part = Categories()
    part.fit(pl.DataFrame({"hour": ["3.0", "4.0"]}), ["hour"], {})
    assert not part.unknown("hour", 3) and part.encode(pl.DataFrame({"hour": ["3", "3.0", "4", "5"]})).codes.ravel().tolist() == [1, 1, 2, 0]
    part.fit(pl.DataFrame({"hour": ["3.0", "4.5"]}), ["hour"], {})
    assert part.unknown("hour", 3)


def test_several_values_may_come_as_one_text(shop: Recommender) -> None:
    listed = codes(shop, {"mood": ["happy", "calm"]})
    assert codes(shop, {"mood": "happy|calm"}) == codes(shop, {"mood": " happy | calm "}) == listed == of_row(shop, 0, "mood")
    assert not notes(shop, context={"mood": "happy|calm"})
    assert notes(shop, context={"mood": "happy|glad"}) == [("unknown_context_value", "context mood = 'glad' was never seen in training; left out.")]
    history = [shop.batch([Query(history=(Event("x", 1, context={"mood": mood}),))]) for mood in ("happy|calm", ["happy", "calm"])]
    assert (history[0].history_moments.codes == history[1].history_moments.codes).all()
    assert shop.popular(context={"mood": "happy|calm"}) == shop.popular(context={"mood": ["calm", "happy"]}) != []


def test_one_value_is_read_where_one_belongs(shop: Recommender) -> None:
    assert codes(shop, {"hour": [3]}) == codes(shop, {"hour": 3}) and not notes(shop, context={"hour": [3]})
    assert notes(shop, context={"hour": [3, 4]}) == [("unknown_context_value", "context hour = [3, 4] is several values, and one is read; left out.")]
    assert codes(shop, {"hour": [3, 4]}) == codes(shop, {})


def test_what_the_model_does_not_read_is_told(shop: Recommender) -> None:
    assert notes(shop, context={"when": "garbage"}) == [("unread_context", "context when is not read by this model; left out.")]
    assert not notes(shop, context={"when": None}) and not notes(shop, words="one")
    with pytest.raises(QueryError, match="Did you mean mood"):
        notes(shop, context={"moood": "sad"})


def test_what_is_left_out_of_a_history_is_told_once(shop: Recommender) -> None:
    history = tuple(Event("x", n, context={"holiday": True, "hour": 5, "mood": "sad|glad", "when": "garbage", "other": 1}) for n in range(3))
    assert [detail for _, detail in notes(shop, history=history)] == [
        "context hour = 5 was never seen in training; left out of the history.",
        "context mood = 'glad' was never seen in training; left out of the history.",
    ]
    for wrong in ("warm", [1.0]):
        with pytest.raises(QueryError, match=r"history\[0\].context lat = .* is not a number"):
            notes(shop, history=(Event("x", context={"lat": wrong, "lon": 2}),))


def test_numbers_of_numpy_are_numbers(shop: Recommender) -> None:
    plain = shop.recommend(Query(user="u1", time=1_700_000_000), 2)
    assert shop.recommend(Query(user="u1", time=np.int64(1_700_000_000)), np.int64(2)).items == plain.items
    with pytest.raises(QueryError, match="between 1 and 1,000"):
        shop.recommend(Query(user="u1"), np.float64(2.0))


def test_what_nothing_reads_is_told() -> None:
    blind = made(pl.DataFrame(EVENTS), pl.DataFrame(ITEMS), Popular())
    assert notes(blind, context={"hour": 5}) == [("unread_context", "context hour is not read by this model; left out.")]
    assert not notes(blind, history=(Event("x", context={"hour": 5}),))
    assert notes(blind, words="one") == [("unread_words", "words are not read by this model; left out.")] and not notes(blind, words="")


def test_a_place_on_no_globe_and_half_a_place_are_told(shop: Recommender) -> None:
    assert not notes(shop, context={"lat": 48, "lon": "2.0"})
    off = "on no globe: latitudes end at 90, longitudes at 360; left out."
    assert notes(shop, context={"lat": 9999, "lon": 2}) == [("unknown_context_value", f"context lat = 9999 lies {off}")]
    assert notes(shop, context={"lat": 48, "lon": -400}) == [("unknown_context_value", f"context lon = -400 lies {off}")]
    for half in ({"lat": 48}, {"lat": 48, "lon": None}):
        assert notes(shop, context=half) == [("unknown_context_value", "context lat is half a place: lon is needed too; left out.")]
    with pytest.raises(QueryError, match="not a number"):
        notes(shop, context={"lat": 10**400, "lon": 2})


def test_kinds_that_no_event_has_are_told(shop: Recommender) -> None:
    assert not notes(shop, user="a", exclude_seen=("buy",))
    told = notes(shop, user="a", exclude_seen=["byu"])
    assert told == [("unknown_kind", "exclude_seen 'byu': no event is of this kind. Did you mean buy?")]
    assert told == [(note.code, note.detail) for note in shop.recommend(query_from_json({"user": "a", "exclude_seen": ["byu"]})[0], n=1).notes]
    assert not notes(shop, history=(Event("x", kind="rent"),), exclude_seen=("rent",))
