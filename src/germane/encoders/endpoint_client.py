"""One call to an embeddings endpoint: the key from the environment, few retries, a bounded wait, no redirects."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError, FetchError

__all__ = ["EndpointClient", "NotSentError", "check_key", "check_url"]

_TRIES = 3
_MOST_CONNECT = 4.0  # seconds
_MOST_WAIT = 30.0  # seconds between tries, all together
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def check_key(key: str | None) -> None:
    """A key is named, never written down: the error does not repeat what was given."""
    if key is not None and not (key.startswith("env:") and key[4:].isidentifier()):
        raise ConfigError('EndpointText option key holds no key itself: write key = "env:NAME", and put the key into that environment variable.')


def check_url(url: str, key: str | None) -> None:
    """An address that a key may be sent to; the error does not repeat what may hold one."""
    if not all("!" <= letter <= "~" for letter in url):
        raise ConfigError("EndpointText option url holds a blank or a letter outside ASCII: write it percent-encoded, and a host as xn--….")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")  # refuses what can be no host
        named = bool(host) and parts.scheme in ("http", "https") and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, half an IPv6 address
        named = False
    if not named:
        raise ConfigError("EndpointText option url is no http or https address, such as https://host/v1/embeddings.")
    if parts.username or parts.password:
        raise ConfigError('EndpointText option url holds a name or a password; write key = "env:NAME" instead.')
    if key is not None and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError(f"EndpointText option url: a key would go to {parts.hostname} unencrypted; use https, or leave key out.")


class NotSentError(FetchError):
    """No text has left this machine."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send key and texts to another place than the one that was named."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Message, newurl: str) -> None:
        return None


class _Impatient(http.client.HTTPConnection):
    """Gives a server that is not there few seconds, and one that is at work the whole timeout."""

    def connect(self) -> None:
        whole = self.timeout
        self.timeout = min(_MOST_CONNECT, whole or _MOST_CONNECT)
        super().connect()
        self.sock.settimeout(whole)


class _ImpatientTLS(_Impatient, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Impatient, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_ImpatientTLS, req)


@dataclass(frozen=True)
class EndpointClient:
    """Sends ``{"model", "input"}`` and reads ``data[i].embedding``, in the order of the texts."""

    url: str
    model: str
    key: str | None
    """``env:NAME``."""
    timeout: float

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def ask(self, texts: Sequence[str]) -> list[list[float]]:
        """A vector a text. At most three tries, where the endpoint is busy or failing itself; an endpoint that is not there is asked once."""
        request = urllib.request.Request(self.url, json.dumps({"model": self.model, "input": list(texts)}).encode(), self._headers())
        direct = [urllib.request.ProxyHandler({})] if urlsplit(self.url).hostname in _LOOPBACK else []  # no proxy sees what stays on this machine
        opener = urllib.request.build_opener(_NoRedirects, _Http, _Https, *direct)
        waited = 0.0
        for left in reversed(range(_TRIES)):
            try:
                began = time.monotonic()
                with opener.open(request, timeout=self.timeout) as answer:
                    return self._read(_body(answer, began + self.timeout), len(texts))
            except urllib.error.HTTPError as error:
                with error:
                    pause = _pause(error.headers.get("Retry-After"), _TRIES - 1 - left)
                    if not _again(error.code) or not left or waited + pause > _MOST_WAIT:
                        raise FetchError(f"The endpoint {self.host} answered {error.code} {_meaning(error.code, self.key)}.") from None
                waited += pause
                time.sleep(pause)
            except TimeoutError:
                raise FetchError(self._silent()) from None
            except urllib.error.URLError as error:
                kind = NotSentError if left == _TRIES - 1 else FetchError
                raise kind(f"The endpoint {self.host} cannot be reached ({error.reason}); what was fetched before is in the cache.") from None
            except OSError as error:
                raise FetchError(f"The endpoint {self.host} broke off ({error}).") from None
            except http.client.HTTPException as error:
                raise FetchError(f"The endpoint {self.host} broke off, or does not speak HTTP ({type(error).__name__}).") from None
        raise AssertionError("the last try answers or raises")

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "germane"}
        if self.key is not None:
            secret = os.environ.get(self.key[4:], "").strip()
            if not secret:
                raise ConfigError(f"The environment variable {self.key[4:]} is not set: EndpointText's key = {self.key!r} reads the key from there.")
            if not (secret.isascii() and secret.isprintable()):
                raise ConfigError(f"The environment variable {self.key[4:]} holds no key: a key is one line of letters, digits and signs of ASCII.")
            headers["Authorization"] = f"Bearer {secret}"
        return headers

    def _silent(self) -> str:
        return f"The endpoint {self.host} did not answer within {self.timeout:g} s; timeout in [text] says how long to wait."

    def _read(self, body: bytes, n: int) -> list[list[float]]:
        try:
            told = json.loads(body)["data"]
            rows = sorted(told, key=lambda row: row.get("index", 0))
            found = [[float(number) for number in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise FetchError(f'The endpoint {self.host} answered something else than {{"data": [{{"embedding": [...]}}]}}.') from None
        if len(found) != n:
            raise FetchError(f"The endpoint {self.host} gave {len(found)} vectors for {n} texts.")
        return found


def _body(answer: http.client.HTTPResponse, until: float) -> bytes:
    """All of it, or a ``TimeoutError``: the timeout of a socket begins anew with each byte."""
    parts = []
    while part := answer.read1(1 << 16):
        parts.append(part)
        if time.monotonic() > until:
            raise TimeoutError
    if answer.length:  # of what the head promised
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(parts)


def _again(code: int) -> bool:
    """Whether it may be another answer in a moment: too many requests, or a failure of its own."""
    return code == 429 or code >= 500


def _pause(said: str | None, tried: int) -> float:
    """What Retry-After asks for in seconds, else 0.5, 1, 2, …"""
    try:
        return max(0.0, float(said)) if said is not None else 0.5 * 2.0**tried
    except ValueError:  # a date
        return 0.5 * 2.0**tried


def _meaning(code: int, key: str | None) -> str:
    if code in (401, 403):
        return f"(the key in {key} is refused)" if key else '(it wants a key: write key = "env:NAME")'
    if code in (301, 302, 303, 307, 308):
        return "(it points elsewhere; write the final address)"
    if code == 404:
        return "(url or model is unknown there)"
    return "(too many requests)" if code == 429 else "(after its retries)" if _again(code) else "(it refuses the request)"
