"""The calls of ``/v1``: each reads its request, asks the service, and writes the answer. Checks come in the order of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from litestar import Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from .. import wire
from ..errors import FullError, NotFoundError, QueryError, StoreError, nearest
from . import forms
from .forms import IN_MOMENTS, LISTING, Call
from .metrics import MEDIA_TYPE, Metrics
from .problems import FormError
from .service import Service

__all__ = ["ROUTES"]

T = TypeVar("T")
HTTP = Request[Any, Any, Any]
Its = NamedDependency[Service]
Measures = NamedDependency[Metrics]
READERS = 16
"""Threads that may wait for texts at once."""
_PATIENT: RunVar[CapacityLimiter] = RunVar("germane_readers")
BODY = (400, 413, 415, 422)
"""What may be wrong with a request that has a body."""
DEGRADED = frozenset({"words_unread"})
"""Codes of notes by which an answer is less than what was asked for, through no fault of the request."""


def _documented(call: Call) -> dict[str, Any]:
    return {"call": call}


# Recommendations.

_RECOMMEND = Call(
    "The best items for one moment", "recommendations", {200: forms.SlateAnswer}, (*BODY, 503, 507), body=wire.QueryBody
)  # fmt: skip


@post("/v1/recommendations", status_code=200, opt=_documented(_RECOMMEND))
async def recommend(request: HTTP, service: Its, metrics: Measures) -> Response[bytes]:
    query, extras = wire.query_from_body(await _body(request, wire.QueryBody))
    slate = await _work(lambda: service.recommend(query, **extras), reads=bool(query.words))
    _count(metrics, [slate])
    return _json(_answer(slate))


_BATCH = Call("Up to 100 moments at once", "recommendations", {200: forms.Slates}, (*BODY, 503, 507), body=wire.BatchBody)


@post("/v1/recommendations/batch", status_code=200, opt=_documented(_BATCH))
async def recommend_many(request: HTTP, service: Its, metrics: Measures) -> Response[bytes]:
    body = await _body(request, wire.BatchBody)
    asked = [wire.query_from_body(query, f"queries[{i}].") for i, query in enumerate(body.queries)]
    slates = await _work(lambda: service.recommend_many(asked), reads=any(query.words for query, _ in asked))
    _count(metrics, slates)
    return _json({"slates": [_answer(slate) for slate in slates]})


@get("/v1/similar/{id:path}", opt=_documented(Call("Items like this one", "recommendations", {200: forms.Found}, (404, 422), parameters=LISTING)))
async def similar(request: HTTP, service: Its) -> Response[bytes]:
    item, (n, filter, _) = _id(request, "/v1/similar/"), _listing(request, LISTING)
    return _json(_found(await _work(lambda: service.similar(item, n, filter))))


@get("/v1/trending", opt=_documented(Call("Taken more lately than usual", "recommendations", {200: forms.Found}, (422,), parameters=IN_MOMENTS)))
async def trending(request: HTTP, service: Its) -> Response[bytes]:
    n, filter, context = _listing(request, IN_MOMENTS)
    return _json(_found(await _work(lambda: service.recommender.trending(n, filter, context))))


@get("/v1/latest", opt=_documented(Call("Newest in the catalogue", "recommendations", {200: forms.Found}, (422,), parameters=IN_MOMENTS)))
async def latest(request: HTTP, service: Its) -> Response[bytes]:
    n, filter, context = _listing(request, IN_MOMENTS)
    return _json(_found(await _work(lambda: service.recommender.latest(n, filter, context))))


@get("/v1/popular", opt=_documented(Call("Taken most", "recommendations", {200: forms.Found}, (422,), parameters=IN_MOMENTS)))
async def popular(request: HTTP, service: Its) -> Response[bytes]:
    n, filter, context = _listing(request, IN_MOMENTS)
    return _json(_found(await _work(lambda: service.recommender.popular(n, filter, context))))


@get("/v1/context", opt=_documented(Call("What moments the model knows", "recommendations", {200: forms.Moments}, (422,))))
async def context(request: HTTP, service: Its) -> Response[bytes]:
    _parameters(request, {})
    return _json(await _work(service.recommender.moments))


# What happened.


@post("/v1/events", opt=_documented(Call("What users did", "events", {201: forms.Taken}, (*BODY, 409, 503, 507), body=wire.EventsBody)))
async def events(request: HTTP, service: Its, metrics: Measures) -> Response[bytes]:
    body = await _body(request, wire.EventsBody)
    receipt = await _work(lambda: service.add_events(body.events))
    metrics.events.labels("stored").inc(len(receipt.stored))
    metrics.events.labels("duplicate").inc(receipt.duplicates)
    return _json({"stored": len(receipt.stored), "duplicates": receipt.duplicates}, 201)


@post(
    "/v1/rewards",
    opt=_documented(Call("What came back for shown items", "events", {201: forms.Taken}, (*BODY, 404, 409, 503, 507), body=wire.RewardsBody)),
)
async def rewards(request: HTTP, service: Its, metrics: Measures) -> Response[bytes]:
    body = await _body(request, wire.RewardsBody)
    receipt = await _work(lambda: service.add_rewards(body.rewards))
    metrics.rewards.labels("stored").inc(len(receipt.stored))
    metrics.rewards.labels("duplicate").inc(receipt.duplicates)
    return _json({"stored": len(receipt.stored), "duplicates": receipt.duplicates}, 201)


# Items.

_PUT_ITEM = Call("Add an item, or change its columns", "catalogue", {200: forms.Known, 201: forms.Known}, (*BODY, 503, 507), body=wire.Flat)


@put("/v1/items/{id:path}", opt=_documented(_PUT_ITEM))
async def put_item(request: HTTP, service: Its) -> Response[bytes]:
    columns = await _body(request, wire.Flat)
    item = _id(request, "/v1/items/")
    new = await _work(lambda: service.put_item(item, columns), reads=True)
    return _json({"item": item}, 201 if new else 200)


@delete(
    "/v1/items/{id:path}", status_code=204, opt=_documented(Call("Take an item out of all answers", "catalogue", {204: None}, (404, 422, 503, 507)))
)
async def delete_item(request: HTTP, service: Its) -> None:
    _parameters(request, {})
    item = _id(request, "/v1/items/")
    await _work(lambda: service.delete_item(item), reads=True)  # it waits for whoever puts one


_IDS = {"id": {"type": "array", "items": {"type": "string"}, "maxItems": 100, "description": "Repeated; unknown ones are left out of the answer."}}


@get("/v1/items", opt=_documented(Call("Titles and columns of some items", "catalogue", {200: forms.Titles}, (422,), parameters=_IDS)))
async def items(request: HTTP, service: Its) -> Response[bytes]:
    ids = _parameters(request, _IDS).get("id", [])
    if len(ids) > 100:
        raise QueryError(f"id is given {len(ids)} times: at most 100 times.", "id")
    return _json({"items": await _work(lambda: service.look_up(ids))})


# People.

_PUT_USER = Call("Set columns of a user", "users", {200: forms.KnownUser, 201: forms.KnownUser}, (*BODY, 503, 507), body=wire.Flat)


@put("/v1/users/{id:path}", opt=_documented(_PUT_USER))
async def put_user(request: HTTP, service: Its) -> Response[bytes]:
    columns = await _body(request, wire.Flat)
    user = _id(request, "/v1/users/")
    new = await _work(lambda: service.put_user(user, columns))
    return _json({"user": user, "events": len(service.recommender.histories.of(user))}, 201 if new else 200)


_PARTS = ("history", "columns", "events", "recommendations", "rewards")
_ONLY = {"only": {"type": "string", "enum": list(_PARTS), "description": "One part of what is held."}}


@get("/v1/users/{id:path}", opt=_documented(Call("What is held of a user", "users", {200: forms.Held}, (404, 422, 503), parameters=_ONLY)))
async def user(request: HTTP, service: Its) -> Response[bytes]:
    name, only = _id(request, "/v1/users/"), _one(request, _ONLY, "only")
    if only is not None and only not in _PARTS:
        raise QueryError(f"only = {only!r}: choose from {', '.join(_PARTS)}.{nearest(only, _PARTS)}", "only")
    return _json(await _work(lambda: service.user(name, only)))


@delete("/v1/users/{id:path}", status_code=204, opt=_documented(Call("Erase a user", "users", {204: None}, (422, 503, 507))))
async def erase_user(request: HTTP, service: Its) -> None:
    _parameters(request, {})
    name = _id(request, "/v1/users/")
    await _work(lambda: service.erase(name))


_PREFIX: dict[str, dict[str, Any]] = {
    "prefix": {"type": "string", "default": "", "description": "How the id begins."},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20, "description": "How many at most."},
}


@get("/v1/users", opt=_documented(Call("Known users", "users", {200: forms.Users}, (422,), parameters=_PREFIX)))
async def users(request: HTTP, service: Its) -> Response[bytes]:
    given = _parameters(request, _PREFIX)
    prefix, limit = given.get("prefix", [""])[-1], _whole(given.get("limit", ["20"])[-1], "limit")
    return _json({"users": await _work(lambda: service.users(prefix, limit))})


# The service itself.


@get("/v1/versions", opt=_documented(Call("The versions of the model", "service", {200: forms.Versions}, (422,))))
async def versions(request: HTTP, service: Its) -> Response[bytes]:
    _parameters(request, {})
    return _json({"versions": service.versions()})


@get("/health/live", opt=_documented(Call("The process answers", "service", {200: forms.Ready})))
async def live() -> Response[bytes]:
    return _json({"status": "live"})


@get("/health/ready", opt=_documented(Call("Model and store answer", "service", {200: forms.Ready}, (503,))))
async def ready(service: Its) -> Response[bytes]:
    try:
        await _work(service.store.check)
    except FullError as error:
        raise StoreError(str(error)) from None  # not ready is 503, whatever it is for
    return _json({"status": "ready"})


@get("/metrics", opt=_documented(Call("Metrics, as Prometheus reads them", "service", {200: str})))
async def scrape(metrics: Measures) -> Response[bytes]:
    return Response(metrics.text(), media_type=MEDIA_TYPE)


ROUTES: list[HTTPRouteHandler] = [
    recommend, recommend_many, similar, trending, latest, popular, context,
    events, rewards, items, put_item, delete_item, users, user, put_user, erase_user,
    versions, live, ready, scrape,
]  # fmt: skip


# Reading requests, writing answers.


async def _work(task: Callable[[], T], *, reads: bool = False) -> T:
    """On a thread: the model computes and the store waits for its disk.

    ``reads``: it waits for texts to be encoded, which an endpoint may take its time for. Such work has threads of its own and takes none of others.
    """
    return await to_thread.run_sync(task, limiter=_patient() if reads else None)


def _patient() -> CapacityLimiter:
    try:
        return _PATIENT.get()
    except LookupError:
        _PATIENT.set(CapacityLimiter(READERS))
        return _PATIENT.get()


async def _body(request: HTTP, form: type[T]) -> T:
    """Size, then form, then contents."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > wire.BODY_LIMIT:
        raise FormError(413, f"the body has {int(declared):,} bytes; a request may have {wire.BODY_LIMIT:,}: send less at a time.")
    kind, _, more = request.headers.get("content-type", "").partition(";")
    if kind.strip().lower() != "application/json" or ("charset" in more.lower() and "utf-8" not in more.lower()):
        raise FormError(415, f"Content-Type is {request.headers.get('content-type', 'missing')!r}: send application/json in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise FormError(415, "compressed bodies are not read: send the JSON as it is.")
    read = wire.decode(await request.body(), form)  # Litestar counts while it reads: 413 past the limit
    _parameters(request, {})
    return read


def _id(request: HTTP, prefix: str) -> str:
    """The rest of the path, percent-decoded: ``ä/β`` is one id."""
    raw = request.scope["raw_path"].partition(b"?")[0]
    if not raw.startswith(prefix.encode()):  # routes are found by the decoded path, where /v1/%75sers/ and //v1/users/ are the same
        raise NotFoundError(f"there is nothing at {raw.decode('latin-1')}: an address begins with {prefix}, as it stands here.")
    try:
        return unquote_to_bytes(raw[len(prefix) :]).decode()
    except UnicodeDecodeError:
        raise QueryError("the id in the address is not UTF-8, percent-encoded.", "id") from None


def _parameters(request: HTTP, allowed: Mapping[str, Any]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in allowed:
            said = f"{name!r} is no parameter of this call; it has {', '.join(allowed) or 'none'}.{nearest(name, allowed)}"
            raise QueryError(said, name)
        given.setdefault(name, []).append(value)
    return given


def _one(request: HTTP, allowed: Mapping[str, Any], name: str) -> str | None:
    given = _parameters(request, allowed).get(name)
    return given[-1] if given else None


def _listing(request: HTTP, allowed: Mapping[str, Any]) -> tuple[int, Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """n, filter and context."""
    given = _parameters(request, allowed)
    n = _whole(given.get("n", ["10"])[-1], "n")
    said: dict[str, Any] = {}
    for name, example in (("filter", '{"eq": ["column", "value"]}'), ("context", '{"name": "value"}')):
        if name in given:
            try:
                said[name] = msgspec.json.decode(given[name][-1])
            except (msgspec.DecodeError, RecursionError) as error:
                why = "it nests too deep" if isinstance(error, RecursionError) else str(error).removeprefix("JSON is malformed: ")
                raise QueryError(f"{name} is not JSON ({why}): write it as {example}, percent-encoded.", name) from None
    query, _ = wire.query_from_json(said)
    return n, query.filter, query.context


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= wire.MOST):
        raise QueryError(f"{name} = {text!r}: {name} is a whole number from 1 to {wire.MOST}.", name)
    return int(text)


def _json(content: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def _answer(slate: Any) -> dict[str, Any]:
    return {**wire.slate_to_json(slate), "degraded": any(note.code in DEGRADED for note in slate.notes)}


def _found(scored: list[tuple[str, float]]) -> dict[str, Any]:
    return {"items": [{"item": item, "position": place, "score": score} for place, (item, score) in enumerate(scored, 1)]}


def _count(metrics: Measures, slates: list[Any]) -> None:
    metrics.slates.inc(len(slates))
    for slate in slates:
        for note in slate.notes:
            metrics.notes.labels(note.code).inc()
