"""Every refusal is problem details; checks come in the order of the contract."""

from __future__ import annotations

import http.client
import json

import pytest

from germane.wire import EventLine

JSON = {"content-type": "application/json"}
BIG = b'{"words": "' + b"x" * 2_000_000 + b'"}'


def check(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "errors"} and problem["status"] == status
    assert problem["title"] and problem["detail"] and "Traceback" not in response.text
    return problem


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (BIG, {}, 413),  # before the form
        (b"{}", {}, 415),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": "application/json; charset=latin-1"}, 415),
        (b"\x1f\x8b", {**JSON, "content-encoding": "gzip"}, 415),
        (b"", JSON, 400),
        (b'{"user"', JSON, 400),
        (b'{"n": 0, "user": "a', JSON, 400),  # malformed before contents
        (b'{"user": "\xff"}', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"usr": "u1"}', JSON, 422),
        (b'{"n": 0}', JSON, 422),
        (b'{"n": 1000000000}', JSON, 422),
        (b'{"context": {"wether": "rain"}}', JSON, 422),
        (b"[]", JSON, 422),
        (b"null", JSON, 422),
    ],
)
def test_bodies_that_cannot_be(client, content, headers, status):
    check(client.post("/v1/recommendations", content=content, headers=headers), status)


@pytest.mark.parametrize(
    ("method", "path", "content", "said"),
    [
        ("POST", "/v1/recommendations", b"", "this is not JSON: it is empty; {} is the least."),
        ("POST", "/v1/recommendations", b'{"context": {"temperature": 1e400}}', "this is not JSON: Number out of range."),
        ("GET", "/v1/popular?filter=" + "[" * 5000, None, "filter is not JSON (it nests too deep): write it as "),
        ("GET", "/v1/popular?context=NaN", None, "context is not JSON (invalid character (byte 0)): write it as "),
        ("PUT", "/v1/items/new", b'{"year": 1e300}', "year = 1e+300, but this column holds numbers below 2^63."),
        ("PUT", "/v1/items/new", b'{"year": %d}' % 2**70, "year = 1180591620717411303424, but this column holds numbers below 2^63."),
    ],
)
def test_what_is_said_names_no_insides(client, method, path, content, said):
    response = client.request(method, path, content=content, headers=JSON)
    assert check(response, response.status_code)["detail"].startswith(said)
    assert response.status_code in (400, 422)


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/recommendations?x=1"), ("PUT", "/v1/items/%FF"), ("PUT", "/v1/users/%FF?x=1")])
def test_a_fault_of_form_comes_before_one_of_the_address(client, method, path):
    for content, headers, status in ((BIG, {}, 413), (b"{}", {}, 415), (b'{"title"', JSON, 400), (b"{}", JSON, 422)):
        check(client.request(method, path, content=content, headers=headers), status)


def test_a_fault_names_its_field_and_the_nearest(client):
    problem = check(client.post("/v1/recommendations", json={"context": {"wether": "rain"}}), 422)
    assert problem["errors"] == [{"field": "context.wether", "detail": problem["detail"]}] and "Did you mean weather" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/recommendations", 405),
        ("PATCH", "/v1/items/a", 405),
        ("POST", "/health/live", 405),
        ("GET", "/v1/popular?n=0", 422),
        ("GET", "/v1/popular?n=ten", 422),
        ("GET", "/v1/popular?m=3", 422),
        ("GET", "/v1/similar/%FF", 422),
        ("GET", "/v1/users/u1?only=all", 422),
        ("GET", "/v1/users?limit=0", 422),
        ("GET", "/v1/context?x=1", 422),
        ("DELETE", "/v1/items/i1?dry_run=true", 422),
        ("DELETE", "/v1/users/u1?x", 422),
        ("GET", "/v1/items?" + "&".join(f"id={n}" for n in range(101)), 422),
    ],
)
def test_addresses_that_cannot_be(client, method, path, status):
    check(client.request(method, path), status)


def test_what_is_deleted_is_what_the_whole_address_says(client, store, recommender):
    """``ann?x`` is a user too, whose ``?`` somebody forgot to encode."""
    for user in ("ann", "ann?x"):
        store.add_events([EventLine(user, "i1")])
    for path in ("/v1/users/ann?x", "/v1/items/i1?x=1"):
        assert "is no parameter of this call; it has none" in client.delete(path).json()["detail"]
    assert {user for user, _ in store.users()} == {"ann", "ann?x"} and not recommender.gone
    assert client.delete("/v1/users/ann%3Fx").status_code == 204
    assert {user for user, _ in store.users()} == {"ann"}


@pytest.mark.parametrize("path", ["/v1/%75sers/abcdef", "//v1/users/abcdef", "/v1%2Fusers/abcdef", "/v1//users/abcdef", "/%76%31/users/u1"])
def test_an_address_that_only_looks_like_another_means_nobody(address, store, recommender, path):
    """The id is what stands behind the address as it was sent, so the address has to be that of the call."""
    for user in ("abcdef", "s/abcdef", "/v1", "v1", "def", "u1"):
        store.add_events([EventLine(user, "i1")])
    before = {user for user, _ in store.users()}
    for method in ("DELETE", "GET", "PUT"):
        service = http.client.HTTPConnection(address.removeprefix("http://"))
        service.request(method, path, b"{}" if method == "PUT" else None, JSON if method == "PUT" else {})
        assert service.getresponse().status == 404
        service.close()
    assert {user for user, _ in store.users()} == before and recommender.histories.of("u1")


def test_405_says_what_is_allowed(client):
    assert "POST" in client.get("/v1/recommendations").headers["allow"]


def test_our_own_fault_is_500_without_its_insides(client, recommender, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("secret insides")

    monkeypatch.setattr(recommender, "recommend", broken)
    response = client.post("/v1/recommendations", json={})
    assert "secret" not in response.text and "secret insides" in caplog.text
    check(response, 500)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8000"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost:8000:1"},
        {"host": ""},
        {"host": "[127.0.0.1]"},
        {"host": "::1"},
        {"host": "126.0.0.1"},
        {"host": "127.1"},
        {"origin": "http://evil.example"},
        {"origin": "http://localhost.evil.example:8000"},
        {"origin": "http://localhost:3000"},
        {"origin": "null"},
        {"origin": "file://"},
    ],
)
def test_strangers_are_kept_out(client, headers):
    for path in ("/", "/v1/context", "/nothing", "/metrics"):
        check(client.get(path, headers=headers), 403)
    check(client.post("/v1/events", json={"events": [{"user": "u", "item": "i"}]}, headers=headers), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost"},
        {"host": "LOCALHOST:8000"},
        {"host": "[::1]:8000"},
        {"host": "[::1]"},
        {"host": "127.0.0.2:8000", "origin": "http://127.0.0.2:8000"},
        {"host": "127.0.0.1:8000", "origin": "http://localhost:8000"},
        {"host": "[::1]:8000", "origin": "http://[::1]:8000"},
    ],
)
def test_this_machine_is_let_in(client, headers):
    assert client.get("/health/live", headers=headers).status_code == 200


def test_a_body_of_100_mb_is_refused_before_it_is_read(address):
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/v1/events")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "100000000")
    connection.endheaders()
    response = connection.getresponse()  # nothing of the body was sent
    assert response.status == 413 and json.loads(response.read())["status"] == 413
    connection.close()


def test_a_body_without_a_length_is_counted_while_it_comes(address):
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/v1/events")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    connection.send((b"%x\r\n" % 1_200_000) + b" " * 1_200_000 + b"\r\n")  # and no end
    response = connection.getresponse()
    assert response.status == 413 and json.loads(response.read())["status"] == 413
    connection.close()
