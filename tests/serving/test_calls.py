"""What each call of /v1 does."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from germane.serving import create_app
from germane.serving.routes import READERS
from germane.wire import slate_from_json


def slate_of(client, **query):
    response = client.post("/v1/recommendations", json=query)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer):
    return [shown["item"] for shown in answer["items"]]


def event(client, **what):
    return client.post("/v1/events", json={"events": [what]})


def test_a_moment_is_answered_and_logged(client, store):
    slate = slate_of(client, user="u1", context={"weather": "rain"}, n=2)
    assert list(slate) == ["recommendation_id", "user", "model_version", "policy", "propensity_kind", "items", "notes", "degraded"]
    assert ids(slate) == ["i3", "i2"] and slate["degraded"] is False
    assert slate["items"][0]["score"] == sum(reason["weight"] for reason in slate["items"][0]["reasons"])
    assert slate_from_json(slate).items[0].item == "i3"
    logged = store.recommendation(slate["recommendation_id"])
    assert logged["context"] == {"weather": "rain"} and logged["time"] and [shown["reward"] for shown in logged["items"]] == [None, None]


def test_explain_and_words_and_candidates(client):
    assert slate_of(client, explain=False)["items"][0]["reasons"] == []
    assert ids(slate_of(client, words="goldfinger", n=1)) == ["007"]
    assert {note["code"] for note in slate_of(client, user="nobody", context={"weather": "hail"})["notes"]} >= {
        "unknown_user",
        "unknown_context_value",
    }


def test_those_who_wait_for_words_leave_threads_to_others(address, recommender):
    """More of them than a server has threads for others."""
    reached, opened, answer = threading.Semaphore(0), threading.Event(), recommender.recommend

    def slow(query, n=10, **options):
        if query.words:
            reached.release()
            assert opened.wait(60)
        return answer(query, n, **options)

    def ask(query):
        service = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
        service.request("POST", "/v1/recommendations", json.dumps(query), {"content-type": "application/json"})
        status = service.getresponse().status
        service.close()
        return status

    recommender.recommend = slow
    with ThreadPoolExecutor(61) as threads:
        waiting = [threads.submit(ask, {"words": "rain"}) for _ in range(60)]
        for _ in range(READERS):
            assert reached.acquire(timeout=60)
        assert threads.submit(ask, {"user": "u1"}).result(60) == 200
        assert not reached.acquire(blocking=False), "no more than so many wait at once"
        opened.set()
        assert [told.result(60) for told in waiting] == [200] * 60


def test_a_batch_is_answered_in_order(client, store):
    queries = [{"context": {"weather": weather}, "n": n} for weather, n in (("rain", 1), ("sun", 2), ("rain", 2))]
    slates = client.post("/v1/recommendations/batch", json={"queries": queries}).json()["slates"]
    assert [len(slate["items"]) for slate in slates] == [1, 2, 2]
    assert ids(slates[0]) == ids(slates[2])[:1] != ids(slates[1])[:1]
    assert all(store.recommendation(slate["recommendation_id"]) for slate in slates)
    refused = client.post("/v1/recommendations/batch", json={"queries": [{}, {"context": {"wether": "rain"}}]})
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "queries[1].context.wether"
    told = client.post("/v1/recommendations/batch", json={"queries": [{}, {"contxt": {}}]}).json()
    assert told["detail"].startswith("queries[1]: 'contxt' is no key of a query;") and told["errors"][0]["field"] == "queries[1].contxt"


def test_the_next_answer_knows_an_event(client):
    assert "i3" in ids(slate_of(client, user="new"))
    sent = event(client, user="new", item="i3", kind="watched", context={"weather": "rain", "mood": "calm"})
    assert sent.status_code == 201 and sent.json() == {"stored": 1, "duplicates": 0}
    assert "i3" not in ids(slate_of(client, user="new"))
    (held,) = client.get("/v1/users/new", params={"only": "history"}).json()["history"]
    assert held["context"] == {"weather": "rain"}, "what the model does not know stays in the store"
    assert client.get("/v1/users/new").json()["events"][0]["context"] == {"weather": "rain", "mood": "calm"}


def test_a_time_that_no_calendar_has_is_refused_and_one_that_is_stored_is_told(client, store):
    slate = slate_of(client, user="u1")
    early = {"time": -90_000_000_000}
    reward = {"recommendation_id": slate["recommendation_id"], "item": slate["items"][0]["item"], "reward": 1, **early}
    for call, body in (("events", {"user": "u1", "item": "i2", **early}), ("rewards", reward)):
        told = client.post(f"/v1/{call}", json={call: [body]})
        assert told.status_code == 422 and "outside the years 1 to 9999" in told.json()["detail"]
        assert told.json()["errors"][0]["field"] == f"{call}[0].time"
    reward.pop("time")
    event(client, user="u1", item="i2")
    assert client.post("/v1/rewards", json={"rewards": [reward]}).status_code == 201
    with store._writing.begin() as connection:  # as stores have them that were written before
        connection.exec_driver_sql("UPDATE rewards SET time = -9e10")
        connection.exec_driver_sql("UPDATE event_log SET time = -9e10")
    held = client.get("/v1/users/u1").json()
    assert (held["rewards"][0]["time"], held["events"][0]["time"]) == ("-90000000000", -9e10)


def test_events_are_idempotent_and_all_or_nothing(client, recommender):
    one = {"event_id": "e1", "user": "u9", "item": "i1"}
    assert client.post("/v1/events", json={"events": [one]}).json() == {"stored": 1, "duplicates": 0}
    assert client.post("/v1/events", json={"events": [one]}).json() == {"stored": 0, "duplicates": 1}
    assert len(recommender.histories.of("u9")) == 1
    conflict = client.post("/v1/events", json={"events": [{"user": "u9", "item": "i2"}, {**one, "item": "i3"}]})
    assert conflict.status_code == 409 and len(recommender.histories.of("u9")) == 1


def test_rewards_reach_the_store_and_the_policy(client, store, recommender):
    slate = slate_of(client, user="u1")
    reward = {"reward_id": "w1", "recommendation_id": slate["recommendation_id"], "item": slate["items"][0]["item"], "reward": 1}
    assert client.post("/v1/rewards", json={"rewards": [reward]}).json() == {"stored": 1, "duplicates": 0}
    assert client.post("/v1/rewards", json={"rewards": [reward]}).json() == {"stored": 0, "duplicates": 1}
    assert store.recommendation(slate["recommendation_id"])["items"][0]["reward"] == 1.0
    assert [feedback.reward for feedback in recommender.observed] == [1.0]
    assert client.post("/v1/rewards", json={"rewards": [{**reward, "reward_id": "w2", "recommendation_id": "no"}]}).status_code == 404
    assert client.post("/v1/rewards", json={"rewards": [{**reward, "reward_id": "w2", "item": "no"}]}).status_code == 422


def test_lists_that_are_not_personal(client):
    assert ids(client.get("/v1/similar/i1").json()) == ["i3"]
    assert client.get("/v1/similar/nope").status_code == 404
    assert client.get("/v1/popular", params={"n": 1}).json() == {"items": [{"item": "i1", "position": 1, "score": 2.0}]}
    for call in ("trending", "latest"):
        assert len(ids(client.get(f"/v1/{call}", params={"n": 2}).json())) == 2
    moments = client.get("/v1/context").json()
    assert moments["words"] is True and moments["columns"][0]["name"] == "weather"
    assert client.post("/v1/recommendations", json=moments["example"]).status_code == 200
    assert client.get("/v1/versions").json()["versions"][0] == {"version": "fake-1", "state": "serving", "model": "Count", "policy": "Best"}


@pytest.mark.parametrize("item", ["plain", "007", "ä/β", "a//b/", "/lead", "with space & ?x=1#%41", "."])
def test_an_item_comes_and_goes_under_any_id(client, item):
    from urllib.parse import quote

    path = f"/v1/items/{quote(item, safe='')}" if item != "." else "/v1/items/%2E"
    known = item in ("007", "ä/β")
    put = client.put(path, json={"title": "Unheard of", "genre": "Drama"})
    assert (put.status_code, put.json()) == (200 if known else 201, {"item": item})
    assert client.put(path, json={"year": 1999}).status_code == 200
    assert item in ids(slate_of(client, words="unheard"))
    assert client.get("/v1/items", params={"id": item}).json()["items"][0]["columns"] == {"title": "Unheard of", "genre": "Drama", "year": 1999}
    assert client.delete(path).status_code == 204
    assert item not in ids(slate_of(client, words="unheard"))
    assert client.delete(path).status_code == 404
    assert client.put(path, json={"title": "Back"}).status_code == 201
    assert item in ids(slate_of(client))


@pytest.mark.parametrize(
    ("columns", "field"), [({"titel": "x"}, "titel"), ({"year": "old"}, "year"), ({"title": 3}, "title"), ({"id": "other"}, "id")]
)
def test_an_item_that_does_not_fit_changes_nothing(client, store, columns, field):
    refused = client.put("/v1/items/new", json=columns)
    assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == field
    assert list(store.items()) == [] and "new" not in ids(slate_of(client))


def test_what_is_held_of_a_user_and_its_erasure(client, store, recommender):
    assert client.get("/v1/users/ghost").status_code == 404
    assert client.put("/v1/users/ada", json={"age": 30}).status_code == 201
    assert client.put("/v1/users/ada", json={"city": "Bath"}).status_code == 200
    event(client, user="ada", item="i1")
    slate = slate_of(client, user="ada")
    held = client.get("/v1/users/ada").json()
    assert held["columns"] == {"age": 30, "city": "Bath"}
    assert [entry["item"] for entry in held["history"]] == [entry["item"] for entry in held["events"]] == ["i1"]
    assert [shown["recommendation_id"] for shown in held["recommendations"]] == [slate["recommendation_id"]]
    assert client.delete("/v1/users/ada").status_code == 204
    assert client.get("/v1/users/ada").status_code == 404
    assert not any(store.held("ada").values()) and recommender.histories.of("ada") == []
    assert client.delete("/v1/users/ada").status_code == 204, "erasing is idempotent"


def test_users_are_listed_short_ids_first(client):
    for user in ("u10", "u3", "v"):
        event(client, user=user, item="i1")
    found = client.get("/v1/users", params={"prefix": "u", "limit": 3}).json()["users"]
    assert found == [{"user": "u1", "events": 1}, {"user": "u2", "events": 2}, {"user": "u3", "events": 1}]


def test_a_restart_loses_nothing(client, store):
    from litestar.testing import TestClient

    from .fake import FakeRecommender

    event(client, user="new", item="i3")
    client.put("/v1/items/late", json={"title": "Late"})
    client.delete("/v1/items/007")
    client.delete("/v1/users/u1")
    before = slate_of(client, user="new")
    with TestClient(create_app(FakeRecommender(), store), base_url="http://127.0.0.1") as again:
        after = slate_of(again, user="new")
        assert ids(after) == ids(before) and "late" in ids(after) and "007" not in ids(after) and "i3" not in ids(after)
        assert again.get("/v1/users/u1").status_code == 404, "an erased user stays erased"
        assert again.put("/v1/items/late", json={}).status_code == 200


def test_events_of_a_run_trained_from_the_store_are_not_doubled(client, store, recommender):
    event(client, user="new", item="i3", time="2026-05-02T10:00")
    create_app(recommender, store)  # its histories have the event already
    assert len(recommender.histories.of("new")) == 1


def test_health_metrics_and_pages(client):
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}
    slate_of(client)
    event(client, user="u1", item="i1")
    client.get("/v1/similar/some-private-id")
    text = client.get("/metrics").text
    assert 'germane_requests_total{method="POST",route="/v1/recommendations",status="200"} 1.0' in text
    assert 'germane_requests_total{method="GET",route="/v1/similar/{id}",status="404"} 1.0' in text
    assert 'germane_events_total{outcome="stored"} 1.0' in text and "germane_request_seconds_bucket" in text and "private" not in text
    for path, kind in (("/", "text/html"), ("/docs", "text/html"), ("/page/app.js", "text/javascript"), ("/page/style.css", "text/css")):
        page = client.get(path)
        assert page.status_code == 200 and page.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "http://" not in page.text.replace("http://www.w3.org", "") and "https://" not in page.text, "no outside address"
        assert "innerHTML" not in page.text
    assert client.get("/page/nothing.js").status_code == 404


@pytest.mark.parametrize("path", ["/", "/docs", "/health/live", "/health/ready", "/v1/context", "/v1/users/u1", "/metrics"])
def test_head_is_get_without_its_body(address, path):
    service = http.client.HTTPConnection(address.removeprefix("http://"))
    told = []
    for method in ("GET", "HEAD", "HEAD"):  # the second shows that nothing was left in the connection
        service.request(method, path)
        answer = service.getresponse()
        told.append(
            (answer.status, answer.headers["content-type"], answer.headers["content-security-policy"], bool(int(answer.headers["content-length"])))
        )
        assert bool(answer.read()) == (method == "GET")
    assert told[0][0] == 200 and told[1] == told[2] == told[0]
    service.request("HEAD", "/v1/recommendations")
    answer = service.getresponse()
    assert answer.status == 405 and answer.read() == b""
    service.request("GET", "/metrics")
    counted = [line for line in service.getresponse().read().decode().splitlines() if line.startswith('germane_requests_total{method="HEAD"')]
    assert [line.endswith('status="200"} 2.0') and 'route="other"' not in line for line in counted] == [True, False], counted
    service.close()


def test_a_client_that_hangs_up_is_no_fault_of_the_service(recommender, store):
    app = create_app(recommender, store)
    heard = iter([{"type": "http.request", "body": b'{"user"', "more_body": True}, *[{"type": "http.disconnect"}] * 9])
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"100")]
    path = "/v1/recommendations"
    scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers, "state": {}}

    async def receive():
        return next(heard)

    async def send(message):
        pass

    whole = {**scope, "root_path": "", "http_version": "1.1", "scheme": "http", "client": None, "server": None, "asgi": {"version": "3.0"}}
    asyncio.run(app(whole, receive, send))
    told = app.metrics.text().decode()
    assert 'route="/v1/recommendations",status="499"} 1.0' in told and 'status="500"' not in told


def test_a_store_that_fails_is_503_and_ready_says_so(client, store):
    store.close()
    answer = client.post("/v1/recommendations", json={})
    assert answer.status_code == 503 and "closed" in answer.json()["detail"]
    assert event(client, user="u1", item="i1").status_code == 503


def test_a_full_disk_is_507_and_not_ready_until_there_is_room(client, store):
    from sqlalchemy import event as happening

    pages = [30]
    happening.listen(store._writing, "begin", lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages[-1]}"))
    events = [{"user": "u1", "item": "i1", "context": {"long": "y" * 2000}}] * 100
    told = client.post("/v1/events", json={"events": events})
    assert told.status_code == 507 and told.json()["title"] == "Insufficient Storage" and "make room on its disk" in told.json()["detail"]
    told = client.get("/health/ready")
    assert told.status_code == 503 and "full" in told.json()["detail"]
    assert client.get("/health/live").status_code == 200
    pages.append(1_000_000)
    assert client.get("/health/ready").json() == {"status": "ready"}
    assert client.post("/v1/events", json={"events": events}).status_code == 201


def test_readiness_needs_the_store(client, store, monkeypatch):
    from germane.errors import StoreError

    def broken():
        raise StoreError("the store does not answer.")

    monkeypatch.setattr(store, "check", broken)
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200


def test_a_filter_travels_as_json(client, recommender, monkeypatch):
    got = []
    monkeypatch.setattr(recommender, "popular", lambda n, filter, context: got.append((n, filter, context)) or [])
    asked = {"n": 3, "filter": json.dumps({"eq": ["genre", "Drama"]}), "context": json.dumps({"weather": "rain"})}
    assert client.get("/v1/popular", params=asked).status_code == 200
    assert got == [(3, {"eq": ["genre", "Drama"]}, {"weather": "rain"})]
    for bad in ("{", "[1]", "3"):
        for name in ("filter", "context"):
            told = client.get("/v1/popular", params={name: bad})
            assert told.status_code == 422 and name in told.json()["detail"]
    assert client.get("/v1/similar/i1", params={"context": "{}"}).status_code == 422
