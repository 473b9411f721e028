"""The door of a service without keys: this machine only.

A page of another site, opened in a browser on this machine, must not reach the service either: neither by its own Origin, nor
by a name of its own that resolves to 127.0.0.1. So Host has to be a loopback name, and Origin, where there is one, the same door.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from .problems import MEDIA_TYPE, problem

__all__ = ["Guard", "is_loopback"]

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""On every answer."""


def is_loopback(host: str) -> bool:
    """Whether a service may listen there, and be called so.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI: 403 to strangers, careful headers on everything."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def careful(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        if refusal := _refusal(scope):
            body = problem(403, refusal)
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
            await careful({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self.app(scope, receive, careful)


def _refusal(scope: Any) -> str:
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    if len(hosts) != 1 or not _is_own(hosts[0]):
        return f"Host {', '.join(hosts) or '(none)'}: without keys the service answers to localhost, 127.0.0.1 and [::1] only."
    for origin in origins:
        scheme, _, place = origin.partition("://")
        if scheme not in ("http", "https") or not _is_own(place) or _parts(place)[1] != _parts(hosts[0])[1]:
            return f"Origin {origin}: without keys the service answers to its own pages only."
    return ""


def _is_own(authority: str) -> bool:
    name, port = _parts(authority)
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    return is_loopback(bare) and (":" in bare) == (bare != name) and (port == "" or port.isdecimal())


def _parts(authority: str) -> tuple[str, str]:
    """Name and port; the brackets of an IPv6 address stay."""
    name, _, port = authority.rpartition(":")
    return (name, port) if name and not authority.endswith("]") else (authority, "")
