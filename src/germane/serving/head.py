"""HEAD, as whatever watches a service asks: the answer to GET without its body."""

from __future__ import annotations

from typing import Any

__all__ = ["Head"]


class Head:
    """ASGI: calls that read are asked by GET, and only their headers are sent on."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def silent(message: Any) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        asked = {**scope, "method": "GET"}  # a copy: the server goes by its own when it counts the body's bytes
        try:
            await self.app(asked, receive, silent)
        finally:
            if "path_template" in asked:
                scope["path_template"] = asked["path_template"]
