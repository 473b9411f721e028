"""The service from Python, in the same nouns. Needs nothing but the standard library and msgspec."""

from __future__ import annotations

import http.client
import math
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlencode, urlsplit

import msgspec

from .errors import ConflictError, FullError, GermaneError, NotFoundError, QueryError, ServiceError
from .json_paths import joined
from .types import Feedback, Query, Slate
from .wire import BODY_LIMIT, MOST, EventLine, Flat, RewardLine, iso, query_to_json, slate_from_json

__all__ = ["Client"]

Line = TypeVar("Line")
T = TypeVar("T")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Client:
    """Ask a running service. Refusals come back as the errors that Python would have raised.

    Prefer ``germane.load`` where model and caller share a process; prefer this where several callers share one model.

    >>> Client("127.0.0.1:8000")
    Traceback (most recent call last):
    ...
    germane.errors.ServiceError: '127.0.0.1:8000' is no address of a service: write http://HOST:PORT, such as http://127.0.0.1:8000.
    """

    def __init__(self, base_url: str = "http://127.0.0.1:8000", key: str | None = None, *, timeout: float = 30.0) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, base_url)) or not _has_port(parts):
            raise ServiceError(f"{base_url!r} is no address of a service: write http://HOST:PORT, such as http://127.0.0.1:8000.")
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self._key = key
        # Proxies of the environment are for the outside: this machine is asked directly.
        handlers = [urllib.request.ProxyHandler({})] if parts.hostname in LOOPBACK else []
        self._open = urllib.request.build_opener(*handlers).open

    def recommend(self, query: Query, n: int = 10, *, explain: bool = True, explore: bool = True) -> Slate:
        """The best ``n`` for one moment."""
        return self._read(slate_from_json, self._call("POST", "/v1/recommendations", _asked(query, n, explain, explore)))

    def batch(self, queries: Iterable[Query], n: int = 10, *, explain: bool = False, explore: bool = True) -> list[Slate]:
        """One slate a query, in order; a hundred queries a request."""
        slates: list[Slate] = []
        for some in _chunks(queries, 100):
            answer = self._call("POST", "/v1/recommendations/batch", {"queries": [_asked(query, n, explain, explore) for query in some]})
            slates += self._read(lambda told: [slate_from_json(slate) for slate in told["slates"]], answer)
        return slates

    def send_events(self, events: Iterable[EventLine | Mapping[str, Any]]) -> tuple[int, int]:
        """How many were stored, and how many had been before. With an ``event_id`` in each, sending again is safe.

        A thousand go into a request, and a request is taken whole or not at all.
        """
        return self._send("events", events)

    def send_rewards(self, rewards: Iterable[Feedback | RewardLine | Mapping[str, Any]]) -> tuple[int, int]:
        """What came back for shown items: ``slate.feedback(...)``, or a ``RewardLine`` with a ``reward_id`` where it may be sent twice."""
        return self._send("rewards", rewards)

    def put_item(self, item: str, columns: Flat | None = None) -> None:
        """Add an item, or change columns of it; None empties one. The next answer knows it; of an item with training events scores follow from the
        next training on."""
        self._call("PUT", f"/v1/items/{quote(item, safe='')}", columns or {})

    def delete_item(self, item: str) -> None:
        """Take an item out of all answers."""
        self._call("DELETE", f"/v1/items/{quote(item, safe='')}")

    def similar(self, item: str, n: int = 10, filter: Mapping[str, Any] | None = None) -> list[tuple[str, float]]:
        """Items like this one, with their scores."""
        given = {"n": str(n), **({"filter": _encoded(filter).decode()} if filter else {})}
        answer = self._call("GET", f"/v1/similar/{quote(item, safe='')}?{urlencode(given)}")
        return self._read(lambda told: [(found["item"], found["score"]) for found in told["items"]], answer)

    def context(self) -> dict[str, Any]:
        """What moments the model knows, and an example query."""
        return self._read(lambda told: msgspec.convert(told, dict[str, Any]), self._call("GET", "/v1/context"))

    def _send(self, what: str, lines: Iterable[Any]) -> tuple[int, int]:
        stored = duplicates = 0
        for some in _chunks(lines, MOST):
            answer = self._call("POST", f"/v1/{what}", {what: [_plain(line) for line in some]})
            counts = self._read(lambda told: [int(told[name]) for name in ("stored", "duplicates")], answer)
            stored, duplicates = stored + counts[0], duplicates + counts[1]
        return stored, duplicates

    def _read(self, read: Callable[[Any], T], answer: Any) -> T:
        """What ``read`` makes of an answer; another service may have given it."""
        try:
            return read(answer)
        except (QueryError, KeyError, TypeError, ValueError, msgspec.MsgspecError):
            raise ServiceError(f"{self.base_url} answered with JSON of another form: is this a Germane service of this version?") from None

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None if body is None else _encoded(body)
        if data is not None and len(data) > BODY_LIMIT:
            raise QueryError(f"this request has {len(data):,} bytes; a request may have {BODY_LIMIT:,}: send less at a time.")
        request = urllib.request.Request(self.base_url + path, data, headers, method=method)
        try:
            try:
                with self._open(request, timeout=self.timeout) as response:
                    answer = response.read()
            except urllib.error.HTTPError as error:
                with error:
                    raise _error(error.code, error.read()) from None
            return msgspec.json.decode(answer) if answer else None
        except (urllib.error.URLError, TimeoutError, ConnectionError, ssl.SSLError) as error:
            said = getattr(error, "reason", None) or error
            raise ServiceError(f"{self.base_url} cannot be reached ({said}): is the service running?") from None
        except http.client.HTTPException as error:
            said = f"{type(error).__name__}: {error}"
            raise ServiceError(f"{self.base_url}{path} did not answer with whole HTTP ({said}): is this a Germane service?") from None
        except msgspec.DecodeError:
            raise ServiceError(f"{self.base_url}{path} did not answer with JSON: is this a Germane service?") from None


def _asked(query: Query, n: int, explain: bool, explore: bool) -> dict[str, Any]:
    return {**query_to_json(query), "n": n, "explain": explain, "explore": explore}


def _plain(line: Any) -> Any:
    """A line without its empty keys."""
    return {k: v for k, v in msgspec.to_builtins(line, enc_hook=_native).items() if v is not None} if isinstance(line, Feedback) else line


def _encoded(body: Any) -> bytes:
    plain = msgspec.to_builtins(body, enc_hook=_native, str_keys=True)
    _check_finite(plain, "")
    return msgspec.json.encode(plain)


def _native(value: Any) -> Any:
    """Numbers and arrays of numpy as Python has them; the rest are times."""
    return value.tolist() if hasattr(value, "tolist") else iso(value)


def _check_finite(value: Any, path: str) -> None:
    """JSON has no other numbers, and would say null."""
    if isinstance(value, float) and not math.isfinite(value):
        raise QueryError(f"{path} = {value} is not finite: give a number, or leave it out.", path)
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_finite(inner, joined(path, key))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            _check_finite(inner, f"{path}[{place}]")


def _has_port(parts: SplitResult) -> bool:
    """Whether what stands where a port stands is one, or nothing does."""
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _chunks(lines: Iterable[Line], size: int) -> Iterator[Sequence[Line]]:
    left = iter(lines)
    while some := list(islice(left, size)):
        yield some


def _error(status: int, body: bytes) -> GermaneError:
    """Problem details as the error they came from."""
    try:
        problem = msgspec.json.decode(body)
        detail = str(problem["detail"])
        fields = [error["field"] for error in problem["errors"] if error["field"]]
    except (msgspec.DecodeError, KeyError, TypeError):
        return ServiceError(f"the service answered {status} without saying why.")
    if status in (400, 422):
        return QueryError(detail, fields[0] if fields else None)
    kinds: dict[int, type[GermaneError]] = {404: NotFoundError, 409: ConflictError, 507: FullError}
    return kinds.get(status, ServiceError)(detail)
