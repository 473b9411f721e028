"""The same service over a trained recommender: nothing of the fake's is assumed."""

from __future__ import annotations

import polars as pl
import pytest
from litestar.testing import TestClient

from germane.data import Dataset, NoSplit
from germane.encoders import HashedText
from germane.errors import ConfigError, FetchError, StoreError
from germane.jobs.train import train
from germane.models import ContextTransformer, Popular
from germane.policies import EpsilonGreedy
from germane.recommender import Recommender
from germane.serving import create_app
from germane.testing.model_contract import small_shop
from germane.training import TrainingOptions


@pytest.fixture
def client(store):
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    shop = Recommender(model, text=HashedText(width=32), policy=EpsilonGreedy(epsilon=0.2))
    train(shop, small_shop(), training=TrainingOptions(epochs=1))
    with TestClient(create_app(shop, store), base_url="http://127.0.0.1:8000") as opened:
        yield opened


def test_the_whole_circle(client, store):
    example = client.get("/v1/context").json()["example"]
    slate = client.post("/v1/recommendations", json=example).json()
    assert len(slate["items"]) == example["n"] and all(0 < shown["propensity"] <= 1 for shown in slate["items"])
    first = slate["items"][0]
    assert sum(reason["weight"] for reason in first["reasons"]) == pytest.approx(first["score"], abs=1e-4)
    user = {
        "user": example["user"],
        "item": first["item"],
        "recommendation_id": slate["recommendation_id"],
        "context": {"weather": "rain", "degrees": "mild"},
    }
    assert client.post("/v1/events", json={"events": [user]}).status_code == 201
    again = client.post("/v1/recommendations", json=example).json()
    assert first["item"] not in [shown["item"] for shown in again["items"]]
    reward = {"recommendation_id": slate["recommendation_id"], "item": first["item"], "reward": 1}
    assert client.post("/v1/rewards", json={"rewards": [reward]}).status_code == 201
    assert store.recommendation(slate["recommendation_id"])["items"][0]["reward"] == 1.0


def test_items_come_and_go(client):
    assert client.put("/v1/items/new", json={"title": "umbrella boots number99"}).status_code == 201
    shown = client.post("/v1/recommendations", json={"candidates": ["new"]}).json()
    assert [place["item"] for place in shown["items"]] == ["new"]
    assert client.get("/v1/items", params={"id": "new"}).json()["items"][0]["title"] == "umbrella boots number99"
    assert client.get("/v1/latest", params={"n": 1}).json()["items"][0]["item"] == "new"
    assert client.get("/v1/similar/new").status_code == 200
    assert client.delete("/v1/items/new").status_code == 204
    assert client.post("/v1/recommendations", json={"candidates": ["new"]}).json()["items"] == []


@pytest.mark.parametrize(
    "fault", [FetchError("The endpoint example.org cannot be reached."), ConfigError("1 texts are to be sent and 0 are left of budget = 9.")]
)
def test_an_encoder_that_fails_is_no_fault_of_the_request(client, store, monkeypatch, fault):
    def broken(self, texts):
        raise fault

    plain = client.post("/v1/recommendations", json={"user": "u1"}).json()
    monkeypatch.setattr(HashedText, "encode", broken)
    slate = client.post("/v1/recommendations", json={"user": "u1", "words": "boots"}).json()
    assert slate["degraded"] is True and [note["code"] for note in slate["notes"]] == ["words_unread"] and len(slate["items"]) == len(plain["items"])
    assert store.recommendation(slate["recommendation_id"])["words"] == "boots"
    both = client.post("/v1/recommendations/batch", json={"queries": [{"words": "boots"}, {}]}).json()["slates"]
    assert [slate["degraded"] for slate in both] == [True, plain["degraded"]] == [True, False]
    refused = client.put("/v1/items/new", json={"title": "a text that was never read before"})
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json") and str(fault) in refused.json()["detail"]
    assert list(store.items()) == [] and client.get("/v1/similar/new").status_code == 404


def test_what_the_store_refuses_is_in_no_answer(store, monkeypatch):
    from germane.worlds import MomentWorld

    shop = Recommender(Popular(), text=HashedText(width=16))
    train(shop, MomentWorld(users=20, items=12, events=200).dataset(), split=NoSplit())
    with TestClient(create_app(shop, store), base_url="http://127.0.0.1:8000") as client:
        item, user = shop.catalogue.items["id"][0], shop.people.users["id"][0]

        def refuse(*_):
            raise StoreError("the store could not be written, and nothing of this request was kept: database is locked.")

        def told():
            changed = client.post("/v1/recommendations", json={"filter": {"eq": ["title", "changed"]}}).json()["items"]
            return len(changed), [client.get(f"/v1/{call}").json() for call in (f"items?id={item}&id=new", "latest", "users")]

        before, people, known = told(), shop.people.users, shop.people.moments
        with monkeypatch.context() as locked:
            for method in ("put_item", "put_user"):
                locked.setattr(store, method, refuse)
            for path, columns in ((f"items/{item}", {"title": "changed"}), ("items/new", {"title": "changed"}), (f"users/{user}", {"segment": "s1"})):
                assert client.put(f"/v1/{path}", json=columns).status_code == 503
        assert told() == before and shop.people.users.equals(people) and shop.people.moments is known
        assert client.put(f"/v1/items/{item}", json={"title": "changed"}).status_code == 200
        assert client.put("/v1/items/new", json={"title": "changed"}).status_code == 201
        assert told()[0] == 2
        assert client.put(f"/v1/users/{user}", json={"segment": ["s1", "s2"]}).status_code == 422
        assert store.held(user)["columns"] == {}


class Lazy(HashedText):
    """Stands for a language model that is loaded at its first text, here or, ``is_remote``, elsewhere."""

    is_remote, loaded, fault = False, False, None

    def encode(self, texts):
        if self.fault is not None:
            raise self.fault
        self.loaded = True
        return super().encode(texts)


@pytest.fixture(scope="module")
def lazy():
    model = ContextTransformer(width=16, blocks=1, length=10, text_width=8)
    return train(Recommender(model, text=Lazy(width=32)), small_shop(), training=TrainingOptions(epochs=1))


@pytest.mark.parametrize("remote", [False, True])
def test_what_reads_words_is_loaded_before_anyone_types(lazy, store, monkeypatch, remote):
    monkeypatch.setattr(lazy.text, "loaded", False)
    monkeypatch.setattr(Lazy, "is_remote", remote)
    create_app(lazy, store)
    assert lazy.text.loaded is not remote


def test_nothing_is_loaded_for_a_model_that_reads_no_words(store, monkeypatch):
    shop = train(Recommender(Popular(), text=Lazy(width=32)), small_shop())
    monkeypatch.setattr(shop.text, "loaded", False)
    create_app(shop, store)
    assert shop.text.loaded is False


def test_a_service_starts_without_what_reads_words(lazy, store, monkeypatch, caplog):
    monkeypatch.setattr(Lazy, "fault", FetchError("The weights of tiny are not in the cache."))
    with TestClient(create_app(lazy, store), base_url="http://127.0.0.1:8000") as client:
        assert [record.getMessage() for record in caplog.records] == ["Words could not be read: The weights of tiny are not in the cache."]
        assert client.get("/health/ready").status_code == 200
        assert client.post("/v1/recommendations", json={"words": "boots"}).json()["degraded"] is True


def test_a_batch_with_a_query_that_is_refused_sends_nothing(client, monkeypatch):
    sent = []
    encode = HashedText.encode
    monkeypatch.setattr(HashedText, "encode", lambda self, texts: (sent.extend(texts), encode(self, texts))[1])
    refused = client.post("/v1/recommendations/batch", json={"queries": [{"words": "boots"}, {"context": {"wether": "rain"}}]})
    assert refused.status_code == 422 and refused.json()["detail"].startswith("queries[1]: context name 'wether' is not known")
    assert sent == []


def test_strange_queries_are_answered_or_refused(client):
    for query, status in (
        ({"user": ""}, 200),
        ({"user": "\x00"}, 200),
        ({"context": {"weather": None}}, 200),
        ({"context": {"weather": 3}}, 200),
        ({"context": {"degrees": "warm"}}, 422),
        ({"history": [{"item": "i1", "time": "2031-01-01", "context": {"weather": "rain"}}, "i1", "ghost"]}, 200),
        ({"time": -1e14}, 422),
        ({"filter": {"eq": ["title", 10**400]}}, 200),
        ({"context": {"weather": 10**18}}, 200),
        ({"words": "x" * 100_000}, 200),
        ({"filter": {"eq": ["nothing", 1]}}, 422),
        ({"filter": {}}, 422),
        ({"filter": {"eq": ["title", "umbrella boots number1"]}}, 200),
        ({"exclude_seen": []}, 200),
        ({"candidates": []}, 200),
    ):
        response = client.post("/v1/recommendations", json=query)
        assert response.status_code == status, (query, response.text)


def test_no_number_that_was_put_keeps_the_service_from_starting_again(store):
    def shop():
        events = pl.DataFrame({"user": list("aabb"), "item": list("xyyx"), "time": range(4)})
        items = pl.DataFrame({"item": list("xy"), "title": ["one", "two"], "year": [1988, 1935]})
        dataset = Dataset.from_frames(events, items, columns={"time": "time", "text": ["title"], "side": ["year"]})
        return train(Recommender(Popular(), text=HashedText(width=16)), dataset, split=NoSplit())

    with TestClient(create_app(shop(), store), base_url="http://127.0.0.1:8000") as client:
        numbers = {f"{2**63 - 1}": 422, "1990.5": 201, f"{2**63}": 201, "1" + "0" * 400: 422, "1e300": 201}
        # with 1990.5 the column holds others than whole numbers, until the run is loaded again
        for place, (number, status) in enumerate(numbers.items()):
            put = client.put(f"/v1/items/n{place}", content=f'{{"year": {number}}}', headers={"content-type": "application/json"})
            assert put.status_code == status, put.text
    with TestClient(create_app(shop(), store), base_url="http://127.0.0.1:8000") as client:
        rows = client.get("/v1/items", params={"id": ["n1", "n2", "n4"]}).json()["items"]
        assert [row["columns"].get("year") for row in rows] == [1990.5, None, None]


def test_what_is_put_of_a_user_counts_at_once_and_after_a_restart(store):
    from germane.worlds import MomentWorld

    world = MomentWorld(users=40, items=20, events=800)
    people = world.frames()[2]
    shop = Recommender(ContextTransformer(width=16, blocks=1, length=10), text=HashedText(width=32), exclude_seen=False)
    train(shop, world.dataset(), training=TrainingOptions(epochs=1))
    segments = dict(zip(people["user"], people["segment"]))
    twin = next(user for user in segments if segments[user] == "s3")
    ask = {"explain": False, "history": [], "n": 20}

    def scores(client, user):
        slate = client.post("/v1/recommendations", json={**ask, "user": user}).json()
        return [shown["score"] for shown in sorted(slate["items"], key=lambda shown: shown["item"])]

    with TestClient(create_app(shop, store), base_url="http://127.0.0.1:8000") as client:
        before = scores(client, "new")
        nobody = pytest.approx(before, abs=1e-3)
        assert client.put("/v1/users/new", json={"segment": "s3", "city": "Bath"}).status_code == 201
        assert pytest.approx(scores(client, "new"), abs=1e-3) == scores(client, twin) != nobody
        assert client.put("/v1/users/new", json={"city": "York"}).status_code == 200
        assert pytest.approx(scores(client, "new"), abs=1e-3) == scores(client, twin)
        other = next(user for user in segments if segments[user] == "s1")
        assert client.put(f"/v1/users/{twin}", json={"segment": "s1"}).status_code == 200
        assert pytest.approx(scores(client, twin), abs=1e-3) == scores(client, other) != pytest.approx(scores(client, "new"), abs=1e-3)
    train(shop, world.dataset(), training=TrainingOptions(epochs=1))  # the run as it was before anything was put
    with TestClient(create_app(shop, store), base_url="http://127.0.0.1:8000") as client:
        assert pytest.approx(scores(client, twin), abs=1e-3) == scores(client, other) != pytest.approx(scores(client, "new"), abs=1e-3)
        assert client.delete("/v1/users/new").status_code == 204
        assert scores(client, "new") == nobody
        assert client.delete(f"/v1/users/{other}").status_code == 204
        assert scores(client, other) == nobody


def test_what_is_taken_in_the_rain(client):
    """Odd items are taken in the rain, even ones in the sun."""

    def items(call, **asked):
        found = client.get(f"/v1/{call}", params={"n": 24, **asked})
        assert found.status_code == 200, found.text
        return [shown["item"] for shown in found.json()["items"]]

    rain, sun = {"context": '{"weather": "rain"}'}, {"context": '{"weather": "sun"}'}
    for call in ("popular", "trending", "latest"):
        assert {int(item[1:]) % 2 for item in items(call, **rain)} == {1}
        assert {int(item[1:]) % 2 for item in items(call, **sun)} == {0}
        assert items(call, context='{"weather": "hail"}') == []
        assert items(call, context="{}") == items(call)
    wet = {"user": "someone", "item": "i2", "context": {"weather": "rain"}}
    client.post("/v1/events", json={"events": [wet] * 1})
    assert "i2" in items("popular", **rain)
    assert client.delete("/v1/users/someone").status_code == 204
    assert "i2" not in items("popular", **rain)
    for bad, said in (('{"wether": "rain"}', "Did you mean weather"), ('{"degrees": 3}', "is a number")):
        told = client.get("/v1/popular", params={"context": bad})
        assert told.status_code == 422 and said in told.json()["detail"]


def test_a_column_that_held_something_else_keeps_no_run_from_starting(store):
    """The store outlives the run: what was put of x does not fit this run's column, what was put of y does."""
    import polars as pl

    from germane.data import Dataset

    dataset = small_shop()
    ids = dataset.users["id"]
    events = dataset.events.select(
        user=pl.Series(ids.gather(dataset.events["user"])), item=dataset.items["id"].gather(dataset.events["item"]), time="time"
    )
    people = pl.DataFrame({"user": ids, "age": [20.0 + n for n in range(len(ids))]})
    known = Dataset.from_frames(events, users=people, columns={"time": "time", "user_side": ["age"]})
    store.put_user("x", {"age": "old"})
    store.put_user("y", {"age": 30})
    shop = Recommender(ContextTransformer(width=16, blocks=1, length=10))
    train(shop, known, training=TrainingOptions(epochs=1))
    create_app(shop, store)
    assert "x" not in shop.people.codes
    twin = shop.people.codes[people.filter(pl.col("age") == 30)["user"][0]]
    assert shop.people.moments.dense[shop.people.codes["y"]].tolist() == shop.people.moments.dense[twin].tolist()


def test_numbers_come_as_text_too(client):
    for degrees in ("7.5", 7.5):
        event = {"user": f"as {degrees!r}", "item": "i2", "time": "2026-05-01T10:00", "context": {"weather": "rain", "degrees": degrees}}
        assert client.post("/v1/events", json={"events": [event]}).status_code == 201
    asked = [{"user": f"as {degrees!r}", "n": 24} for degrees in ("7.5", 7.5)]
    told = [{shown["item"]: shown["score"] for shown in client.post("/v1/recommendations", json=query).json()["items"]} for query in asked]
    assert told[0] == pytest.approx(told[1]) and len(told[0]) > 10


def test_who_was_erased_made_nothing_popular(client):
    before = {call: client.get(f"/v1/{call}", params={"n": 24}).json() for call in ("popular", "trending")}
    client.post("/v1/events", json={"events": [{"user": "e1", "item": "i5", "time": 1_800_000_000 + n} for n in range(60)]})
    assert client.get("/v1/popular", params={"n": 1}).json()["items"][0]["item"] == "i5"
    assert client.delete("/v1/users/e1").status_code == 204
    assert {call: client.get(f"/v1/{call}", params={"n": 24}).json() for call in before} == before
